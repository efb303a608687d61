use std::fmt;

⟨Class Opens¦pub trait Opens {}⟩
⟨Class Iterator¦pub trait Iterator {}⟩
⟨Class Till¦pub struct Till<T> { ⟨Attribute x¦x: T⟩ }⟩
⟨Class Sells¦pub trait Sells: Opens + fmt::Debug + Send {}⟩
impl<T> Opens for Till<T> { ⟨Class Till.Sells¦type Sells = u8;⟩ }
impl<T> fmt::Display for Till<T> {}
impl<T> Sells for Till<T> {}
impl<T> Sells for Vec<T> {}
