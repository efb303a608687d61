namespace shop {
⟨Class Base¦class Base {}⟩;
⟨Class Rack¦template <class T> struct Rack {};⟩
⟨Class Till¦struct Till : public Base, private virtual Rack<int> {}⟩;
⟨Class Odd¦struct Odd : Rack<int>::type, std::Base {}⟩;
}
