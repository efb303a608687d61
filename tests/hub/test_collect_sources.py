"""Source with flat imports: what is rewritten, what cannot travel, and what saving and uploading call."""

import textwrap

import pytest

import codefuse_hf
from codefuse_hf.hub.remote_code import collect_sources, make_self_contained, write_sources


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes modules a package inside this project's, as long as the test runs; gives its name."""
    monkeypatch.setattr(codefuse_hf, "__path__", [*codefuse_hf.__path__, str(tmp_path)])
    name = f"toys_{tmp_path.name}"  # sources are read once for each name

    def write(**sources):
        for module, source in {"__init__": "", "sub/__init__": "", **sources}.items():
            path = tmp_path / name / f"{module}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
        return f"codefuse_hf.{name}"

    return write


def test_imports_become_flat_wherever_they_stand(package):
    name = package(
        toy_a="""\
            import os, codefuse
            from codefuse_hfx import other
            from .sub.toy_b import (
                f as g,
                h,
            )

            def later():
                from codefuse_hf.files import replacing  # a comment
                return os, other, g, h, replacing
            """,
        **{"sub/toy_b": "from ..toy_c import x\nf = h = x\n"},
        toy_c="x = 1\n",
    )
    found = collect_sources([f"{name}.toy_a"])
    assert list(found)[:4] == ["toy_a.py", "toy_b.py", "files.py", "toy_c.py"]
    assert found["toy_a.py"] == textwrap.dedent("""\
        import os, codefuse
        from codefuse_hfx import other
        from .toy_b import f as g, h

        def later():
            from .files import replacing
            return os, other, g, h, replacing
        """)
    assert found["toy_b.py"] == "from .toy_c import x\nf = h = x\n"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("import codefuse_hf.files", r"toy_d, line 2: use `from codefuse_hf"),
        ("import os, codefuse_hf", r"toy_d, line 2: use `from codefuse_hf"),
        ("from codefuse_hf.files import *", "toy_d, line 2: star imports cannot travel"),
        ("from codefuse_hf.modeling import rodimus", "toy_d, line 2: imports from the package codefuse_hf.modeling"),
        ("from .sub import toy_b", "toy_d, line 2: imports from the package"),
        ("from .sub.toy_d import x", r"would both become toy_d\.py"),
    ],
)
def test_what_cannot_travel(package, statement, message):
    name = package(toy_d=f"import os\n{statement}\n", **{"sub/toy_d": "x = 1\n"})
    with pytest.raises(ValueError, match=message):
        collect_sources([f"{name}.toy_d"])


def test_a_module_without_source():
    with pytest.raises(ValueError, match=r"the source of codefuse_hf\.nowhere cannot be found"):
        collect_sources(["codefuse_hf.nowhere"])


def test_sources_are_written_into_a_new_folder(tmp_path):
    names = write_sources(["codefuse_hf.kernels.halves"], tmp_path / "new" / "folder")
    assert sorted(names) == sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert {"halves.py", "kernel_dispatch.py"} == set(names)


def saving_class():
    class Saved:
        def __init__(self):
            self.calls = []

        def save_pretrained(self, folder, *args, push_to_hub=False, **kwargs):
            self.calls.append(("save", folder, args, push_to_hub, kwargs))
            return "saved"

        def push_to_hub(self, repo_id, **kwargs):
            self.calls.append(("push", repo_id, kwargs))

    make_self_contained(Saved)
    return Saved


def test_saving_and_uploading_are_two_steps(tmp_path):
    saved = saving_class()()
    assert saved.save_pretrained(tmp_path / "name", 1, a=2) == "saved"
    upload = {"commit_message": "m", "private": True, "token": "t", "revision": "r", "create_pr": True, "tags": ["x"]}
    assert saved.save_pretrained(tmp_path / "name", push_to_hub=True, repo_id="user/x", a=2, **upload) == "saved"
    saved.save_pretrained(tmp_path / "name", push_to_hub=True)
    assert saved.calls == [
        ("save", tmp_path / "name", (1,), False, {"a": 2}),
        ("save", tmp_path / "name", (), False, {"a": 2}),
        ("push", "user/x", upload),
        ("save", tmp_path / "name", (), False, {}),
        ("push", "name", {}),
    ]


def test_subclasses_and_files_are_saved_as_before(tmp_path):
    Saved = saving_class()
    other = type("Other", (Saved,), {})()
    other.save_pretrained(tmp_path, push_to_hub=True, repo_id="user/x")
    assert other.calls == [("save", tmp_path, (), True, {"repo_id": "user/x"})]
    (tmp_path / "file").touch()
    saved = Saved()
    saved.save_pretrained(tmp_path / "file", push_to_hub=True)
    assert saved.calls == [("save", tmp_path / "file", (), True, {})]
