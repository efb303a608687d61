package shop.bases

⟨Class Opens¦trait Opens⟩
⟨Class Base¦class Base[T](x: T)⟩
⟨Class Base¦object Base extends Opens⟩
⟨Class Till¦class Till extends Base[Int](1) with Opens⟩
⟨Class Kind¦enum Kind extends Opens { case ⟨Attribute A¦A⟩, ⟨Attribute B¦B⟩ }⟩
⟨Class Holder¦object Holder { ⟨Attribute two¦given two: Opens = null⟩ }⟩
