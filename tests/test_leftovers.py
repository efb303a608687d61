"""What runs that were killed leave behind is removed or gone on with, and named."""

import pytest

from codefuse_hf.files import remove_leftovers, replacing, replacing_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_run_left_is_removed_and_named(tmp_path, capsys):
    (tmp_path / ".result.abc.partial").mkdir()
    (tmp_path / ".result.abc.partial" / "model.safetensors").write_text("gigabytes")
    (tmp_path / ".result.def.partial").write_text("a file")
    for other in (".result2.abc.partial", ".result.txt", "result.abc.partial"):
        (tmp_path / other).write_text("somebody's")
    (tmp_path / "kept").mkdir()
    (tmp_path / ".result.link.partial").symlink_to(tmp_path / "kept")
    with replacing_folder(tmp_path / "result") as folder:
        (folder / "a").write_text("a")
    said = capsys.readouterr().err
    assert said.count("which an interrupted run had left behind") == 2
    assert names(tmp_path) == [
        ".result.link.partial",
        ".result.txt",
        ".result2.abc.partial",
        "kept",
        "result",
        "result.abc.partial",
    ]


@pytest.mark.parametrize("place", [replacing_folder, replacing])
def test_a_run_at_work_is_left_alone(tmp_path, place, capsys):
    with place(tmp_path / "x"):
        remove_leftovers(tmp_path / "x")
        assert len(names(tmp_path)) == 1
    assert names(tmp_path) == ["x"] and not capsys.readouterr().err


def test_a_run_for_the_same_content_goes_on(tmp_path, capsys):
    for content in ("abc", "def"):
        (tmp_path / f".x.{content}.partial").mkdir()
        (tmp_path / f".x.{content}.partial" / "done").write_text(content)
    with pytest.raises(RuntimeError), replacing_folder(tmp_path / "x", content="abc", keep=True) as folder:
        assert names(folder) == ["done"]
        raise RuntimeError
    assert names(tmp_path) == [".x.abc.partial"]
    with replacing_folder(tmp_path / "x", content="abc"):
        again = replacing_folder(tmp_path / "x", content="abc")
        with pytest.raises(OSError, match="another process"):
            again.__enter__()
    assert names(tmp_path) == ["x"] and names(tmp_path / "x") == ["done"]
    assert capsys.readouterr().err.count("going on with") >= 2


def test_graphs_are_written_in_one_go(tmp_path, capsys):
    from codefuse_hf.graph import build_code_graph
    from codefuse_hf.graph.formats.tables import save_rows

    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.py").write_text("def f(): pass\n")
    for name in (".graph.json.abc.partial", "cache/.manifest.json.abc.partial", "cache/.graph.json.gz.abc.partial"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("half a graph")
    (tmp_path / ".rows.abc.partial").mkdir()
    graph = build_code_graph(tmp_path / "source", cache=tmp_path / "cache", progress=False, workers=0)
    graph.save(tmp_path / "graph.json")
    save_rows(graph, tmp_path / "rows", "jsonl")
    assert names(tmp_path) == ["cache", "graph.json", "rows", "source"]
    assert names(tmp_path / "cache") == ["graph.json.gz", "manifest.json"]
    assert capsys.readouterr().err.count("left behind") == 4
