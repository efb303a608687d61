#pragma once
namespace shop::inner {
// A box.
⟨Class Box¦template <typename T>
class Box final : public Base, private other::Thing<int>
{
public:
    ⟨Function Box¦Box() : size(1) { grow(); }⟩
    ~Box();
    ⟨Function get¦int get() const override { return this->size_() + count(); }⟩
    static void make(int n);
    ⟨Function operator==¦bool operator==(const Box &o) const { return true; }⟩
    ⟨Function convert¦template <class U> U convert(U v) { return v; }⟩
    ⟨Function size_¦int size_() const { return size; }⟩
private:
    ⟨Attribute size¦int size = 1;⟩
    void grow();
    int count();
};⟩
⟨Class Color¦enum class Color : int { ⟨Attribute Red¦Red⟩ }⟩;
⟨Function free_one¦inline int free_one(int a) { return a; }⟩
}  // namespace
