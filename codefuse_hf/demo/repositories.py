"""Repositories that visitors look at: uploaded archives, unpacked with care, and small ones that are here anyway."""

import functools
import importlib.util
import lzma
import shutil
import stat
import tempfile
import weakref
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..files import readable_size

MAX_ARCHIVE = 20 * 2**20  # bytes of an upload
MAX_UNPACKED = 60 * 2**20  # bytes in all
MAX_FILES = 4000

# Packages of Python's standard library, which every visitor can choose.
INCLUDED = ("json", "email", "asyncio", "logging", "unittest", "http")


def included(name: str) -> Path:
    """Return the folder of one of the `INCLUDED` repositories."""
    if name not in INCLUDED:
        raise ValueError(f"no repository {name!r} is included; there are {', '.join(INCLUDED)}")
    return Path(importlib.util.find_spec(name).submodule_search_locations[0])


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an uploaded ZIP archive below `folder`: plain files only, and only so much.

    What is too large, leaves the folder, or is a link makes the whole archive refused; sizes are counted while bytes are
    written, since an archive can lie about them. Nothing that was unpacked is ever run.

    Raises:
        ValueError: it is refused; the message says why.
    """
    size = archive.stat().st_size
    if size > MAX_ARCHIVE:
        raise ValueError(
            f"the archive has {readable_size(size)}; at most {readable_size(MAX_ARCHIVE)} can be looked at"
        )
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            if len(members) > MAX_FILES:
                raise ValueError(f"the archive has {len(members)} files; at most {MAX_FILES} can be looked at")
            left = MAX_UNPACKED
            for member in members:
                target = folder.joinpath(*_safe_parts(member))
                target.parent.mkdir(parents=True, exist_ok=True)
                left = _write(opened, member, target, left)
    except zipfile.BadZipFile as error:
        raise ValueError(f"this is not a ZIP archive, or a damaged one: {error}") from error
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise ValueError(f"the archive is damaged: {error}") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown method of compression
        raise ValueError(f"the archive cannot be read: {error}") from error
    except OSError as error:  # a file where a folder should be, a name too long for the system
        raise ValueError(f"the archive cannot be unpacked: {error.strerror or error}") from error


def _safe_parts(member: zipfile.ZipInfo) -> tuple[str, ...]:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in member.filename or not path.parts:
        raise ValueError(f"the archive is refused: {member.filename!r} would be written outside its folder")
    mode = member.external_attr >> 16
    if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        raise ValueError(f"the archive is refused: {member.filename!r} is a link or a device, not a plain file")
    return path.parts


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int) -> int:
    with opened.open(member) as source, target.open("xb") as sink:
        while block := source.read(2**16):
            left -= len(block)
            if left < 0:
                raise ValueError(f"unpacked, the archive has more than {readable_size(MAX_UNPACKED)}")
            sink.write(block)
    return left


class OpenRepository:
    """A repository that a visitor has open: its graph, its index and its page, each made when first wanted.

    What was unpacked and made is deleted by `close`, or else when the object goes or the process ends.

    Args:
        source: an uploaded ZIP archive, or the name of an included repository.
    """

    def __init__(self, source: Path | str):
        self._scratch = Path(tempfile.mkdtemp(prefix="codefuse-hf-demo-"))
        self._delete = weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        try:
            if isinstance(source, Path):
                self.name, self.folder = source.stem, self._scratch / "repository"
                unpack(source, self.folder)
            else:
                self.name, self.folder = source, included(source)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Delete what was unpacked and made."""
        self._delete()

    @functools.cached_property
    def graph(self):
        """The code graph."""
        from ..graph import build_code_graph

        return build_code_graph(self.folder, progress=False)

    @functools.cached_property
    def index(self):
        """The search index, with the small model that ships."""
        from ..search import DEFAULT_MODEL, CodeIndex

        return CodeIndex.build(self.folder, model=DEFAULT_MODEL, folder=self._scratch / "index", progress=False)

    @functools.cached_property
    def page(self) -> str:
        """The graph as one HTML page."""
        from ..graph.formats.page.render import save_page

        save_page(self.graph, self._scratch / "graph.html", title=self.name)
        return (self._scratch / "graph.html").read_text(encoding="utf-8")
