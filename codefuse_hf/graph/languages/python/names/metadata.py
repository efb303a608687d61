"""Where a project's own metadata says that its packages lie: pyproject.toml (setuptools, hatch, poetry) and setup.cfg."""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Callable, Iterable
from typing import Any

METADATA = ("pyproject.toml", "setup.cfg")


def project_packages(project: Any) -> dict[str, str]:
    """Finds the folders of packages as `package_folders` does, for the files of a build (`Project`)."""
    return package_folders(getattr(project, "metadata", {}).get)


def package_folders(read: Callable[[str], str | None]) -> dict[str, str]:
    """Finds the folder of each package that lies elsewhere than its name says, by dotted name; "" stands for all others.

    Args:
        read: gives the text of a file of the project's folder, None where there is none. What is no valid metadata says nothing.
    """
    found: dict[str, str] = {}
    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read_string(read("setup.cfg") or "")
        for line in config.get("options", "package_dir", fallback="").replace(",", "\n").splitlines():
            name, _, folder = line.partition("=")
            _enter(found, name.strip(), folder.strip())
        _enter(found, "", config.get("options.packages.find", "where", fallback="").strip())
    except configparser.Error:
        pass
    try:
        tools = tomllib.loads(read("pyproject.toml") or "").get("tool", {})
    except (tomllib.TOMLDecodeError, RecursionError):
        return found
    setuptools = _table(tools, "setuptools")
    for name, folder in _table(setuptools, "package-dir").items():
        _enter(found, name, folder)
    for folder in _strings(_table(setuptools, "packages", "find").get("where")):
        _enter(found, "", folder)
    for target in ("wheel", "sdist"):
        for place in _strings(_table(tools, "hatch", "build", "targets", target).get("packages")):
            folder, _, name = place.strip("/").rpartition("/")
            _enter(found, name, f"{folder}/{name}" if folder else name)
    for each in _table(tools, "poetry").get("packages") or ():
        if isinstance(each, dict) and isinstance(each.get("include"), str):
            name, folder = each["include"].split("/")[0], each.get("from", "")
            if isinstance(folder, str) and name.isidentifier():
                _enter(found, name, f"{folder.strip('/')}/{name}" if folder else name)
    return found


def _enter(found: dict[str, str], name: Any, folder: Any) -> None:
    if isinstance(name, str) and isinstance(folder, str):
        folder = folder.strip().strip("/").removeprefix("./")
        if ".." not in folder.split("/") and folder not in (".", name.replace(".", "/")):
            found.setdefault(name, folder)


def _table(table: Any, *names: str) -> dict:
    for name in names:
        table = table.get(name) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}


def _strings(items: Any) -> Iterable[str]:
    return [each for each in items if isinstance(each, str)] if isinstance(items, list) else ()
