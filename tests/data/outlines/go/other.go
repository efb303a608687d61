package main

⟨Function other¦func other() { func() { main() }() }⟩

⟨Function main¦func main() { other := 1; other(); new(Shop).Sell("") }⟩
