⟨Function turn¦export function turn() { return <Button onClick={() => press()} />; }⟩
⟨Function press¦const press = () => {};⟩
