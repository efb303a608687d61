#include "shop.hpp"

namespace {
⟨Function hidden¦int hidden() { return 1; }⟩
}

namespace shop::inner {
⟨Function Box.~Box¦Box::~Box() { hidden(); }⟩
⟨Function Box.make¦template <typename T>
void Box<T>::make(int n) { free_one(n); auto f = [&](int free_two) { free_two(1); return n; }; }⟩
}

⟨Function shop.inner.Box.grow¦void shop::inner::Box::grow() { make(1); Box::make(2); new Box(); shop::inner::free_one(3); std::make(1); }⟩
⟨Function shop.inner.Box.operator<¦bool shop::inner::Box::operator<(int) { return false; }⟩
extern "C" { ⟨Function plain¦int plain() { return hidden(); }⟩ }
