⟨Class Door¦pub struct Door;⟩
impl Door { ⟨Function Door.open¦pub fn open() { shut() }⟩ }
⟨Function shut¦pub fn shut() { super::sell::<u8>() }⟩
