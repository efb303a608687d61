"""Small repositories, and makers of records that other processes can import."""

import os
from pathlib import Path

from codefuse_hf.training.cgm_corpus import CorpusRecipe

RECIPE = CorpusRecipe(reconstructions=4, questions=2, max_nodes=6)


def write_repository(folder: Path, number: int = 0, modules: int = 4) -> Path:
    """A package of `modules` files, each with a base class, a class and functions that call one another across files."""
    package = folder / f"shop{number}" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for index in range(modules):
        after = (index + 1) % modules
        (package / f"part{index}.py").write_text(
            f"from shop.part{after} import Basket{after}, weigh_{after}, pack_{after}\n\n\n"
            f"class Basket{index}:\n    colour = {number}\n\n    def fill_{index}(self):\n        return empty_{index}(self)\n\n\n"
            f"class Crate{index}(Basket{after}):\n    pass\n\n\n"
            f"def weigh_{index}(goods):\n    return pack_{index}(goods)\n\n\n"
            f"def pack_{index}(goods):\n    return [goods, {index}]\n\n\n"
            f"def empty_{index}(basket):\n    return weigh_{after}(basket)\n\n\n"
            f"def send_{index}(goods):\n    return pack_{after}(goods)\n"
        )
    return package.parent


def records_or_error(source: str):
    """Records of a repository; an error for those whose name ends with 1."""
    if source.endswith("1"):
        raise RuntimeError("the disk is\non fire")
    return RECIPE(source)


def records_or_death(source: str):
    """Records of a repository; the process dies at number 1 while the file LETHAL is beside it."""
    if source.endswith("1") and Path(source).with_name("LETHAL").exists():
        os._exit(9)
    Path(source).with_name("log").open("a").write(f"{Path(source).name}\n")
    return RECIPE(source)
