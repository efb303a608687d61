//! A shop.
mod shop;
use crate::shop::{door::{self, Door}, sell as trade};
use std::fs;

/// Holds
/// things.
⟨Class Box¦#[derive(Debug)]
pub struct Box<T> {
    ⟨Attribute size¦pub size: T⟩,
}⟩
⟨Class Kind¦enum Kind { ⟨Attribute A¦A⟩, ⟨Attribute B¦B(u8)⟩ }⟩
⟨Class Hold¦pub trait Hold: Clone {
    ⟨Function hold¦fn hold(&self);⟩
    ⟨Function both¦fn both(&self) { self.hold() }⟩
}⟩
impl<T> Hold for Box<T> {
    ⟨Function Box.hold¦fn hold(&self) { Self::new(); helper(); trade(); door::shut(); Door::open(); fs::read(); }⟩
}
impl<T> Box<T> {
    ⟨Function Box.new¦pub fn new() -> Self { let helper = |x| x; helper(1); made!(2); self.size.hold() }⟩
}
⟨Function made!¦macro_rules! made { ($x:expr) => { $x }; }⟩
⟨Function helper¦fn helper() { crate::shop::sell::<u8>(); }⟩
⟨Attribute LIMIT¦pub const LIMIT: u8 = 1;⟩
mod tests {
    ⟨Function works¦#[test]
    fn works() { super::helper(); inner(); }⟩
    ⟨Function inner¦fn inner() {}⟩
}
