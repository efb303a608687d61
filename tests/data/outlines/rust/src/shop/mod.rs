pub mod door;
⟨Function sell¦pub fn sell<T>() { self::door::shut(); }⟩
