package shop.tools

⟨Function turn¦fun turn(n: Int) {}⟩

⟨Class Hammer¦object Hammer {
    ⟨Function hit¦fun hit() {}⟩
}⟩
