package shop.bases

⟨Class Opens¦interface Opens⟩
⟨Class Base¦open class Base<T>(x: T)⟩
⟨Class Wide¦interface Wide : Opens⟩
⟨Class Till¦class Till : Base<Int>(1), Opens, (Int) -> Unit {
    ⟨Function f¦fun f() = object : Wide {}⟩
}⟩
⟨Class One¦object One : Opens by other⟩
