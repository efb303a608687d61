"""What a function of a small Python file calls, by the graph."""

from codefuse_hf.graph import GraphBuilder

CLASSES = "class Item:\n    def price(self): pass\nclass Other:\n    def price(self): pass\n"


def called(folder, text, name="use"):
    """The dotted names of what the function `name` (the module for "") calls; the file has `Item` and `Other` before the text."""
    (folder / "shop.py").write_text(f"{CLASSES}{text}")
    graph = GraphBuilder(folder, progress=False, workers=0).build()
    ids = [node.id for node in graph.nodes() if node.qualified_name == f"shop.{name}".rstrip(".")]
    found = {graph[target].qualified_name for each in ids for target in graph.neighbors(each, "calls", "out")}
    return {each.removeprefix("shop.") for each in found}
