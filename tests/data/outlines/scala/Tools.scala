package shop.tools
⟨Class Hammer¦object Hammer { ⟨Function hit¦def hit(n: Int) = n⟩ }⟩
