"""Brings what lies beside `docs/` into the site: documents, pictures, and the package as it is when installed."""

import re
import shutil
import tempfile
from pathlib import Path

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
OUTSIDE = {
    "index.md": "README.md",
    "SECURITY.md": "SECURITY.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
}


@event_priority(100)  # before the plugin that reads it
def on_config(config):
    """Show the reference's reader the package with the folders that an installation puts into it."""
    config["tree"] = Path(tempfile.mkdtemp(prefix="codefuse-hf-docs-"))
    package = config["tree"] / "codefuse_hf"
    package.mkdir()
    for path in [*(ROOT / "codefuse_hf").iterdir(), ROOT / "modeling", ROOT / "kernels"]:
        (package / path.name).symlink_to(path)
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [str(config["tree"])]
    return config


def on_post_build(config):
    """Remove that tree."""
    shutil.rmtree(config["tree"], ignore_errors=True)


def on_files(files, config):
    """Add the documents and the pictures of results."""
    found = dict(OUTSIDE)
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.png")):
        found[path.relative_to(ROOT).as_posix()] = path.relative_to(ROOT).as_posix()
    for uri, path in found.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links are written for the repository: `docs/X.md` is the page X.md here."""
    if page.file.src_uri in OUTSIDE:
        markdown = re.sub(r"\]\(docs/", "](", markdown)
        markdown = re.sub(r"\]\(README\.md", "](index.md", markdown)
        return re.sub(r"\]\(examples/notebooks/", "](notebooks/", markdown)
    return re.sub(r"\]\(\.\./(SECURITY|CONTRIBUTING|CHANGELOG)\.md", r"](\1.md", markdown)
