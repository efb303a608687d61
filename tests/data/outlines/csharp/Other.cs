namespace Shop.Inner;
⟨Class Box¦partial class Box<T> { ⟨Function Other¦void Other() { }⟩ }⟩
⟨Class Tools¦static class Tools { ⟨Function Turn¦public static void Turn(int Fill = 1) { Fill(2); }⟩ }⟩
