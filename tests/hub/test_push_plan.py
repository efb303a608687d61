"""What a push would change in a repository, told from the folder and the repository's list of files."""

import os
import zipfile

import pytest

from codefuse_hf.hub.push_plan import PushPlan, list_files, plan_push

RUN, PICKLE = "of a training run, or left behind by a tool", "a pickle"


def archive(path, *names):
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "x")


def write(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.txt", b"x", None),
        (".env", b"x", "hidden"),
        ("a/.git/config", b"x", "hidden"),
        ("trainer_state.json", b"x", RUN),
        ("a/train.log", b"x", RUN),
        ("checkpoint-7/config.json", b"x", RUN),
        ("checkpoint-7", b"x", None),  # a file of that name is none of a run's folders
        ("nohup.out/notes.txt", b"x", None),
        ("weights.pkl", b"x", PICKLE),
        ("model.ckpt", b"x", PICKLE),
        ("data.bin", b"\x80\x04", PICKLE),
        ("data.bin", b"x\x80", None),
        ("data.bin", b"", None),
        ("data.dat", b"\x80\x04", None),
    ],
)
def test_what_stays_at_home(tmp_path, name, content, reason):
    write(tmp_path / name, content)
    plan = list_files(tmp_path)
    if reason is None:
        assert plan.files == {name: tmp_path / name} and not plan.left_out
    else:
        assert not plan.files and list(plan.left_out.values()) == [reason]


def test_archives_with_a_pickle_in_them_are_pickles(tmp_path):
    archive(tmp_path / "old.bin", "archive/data.pkl", "archive/data/0")
    archive(tmp_path / "plain.bin", "archive/data/0")
    plan = list_files(tmp_path)
    assert plan.left_out == {"old.bin": PICKLE} and plan.files.keys() == {"plain.bin"}


def test_links_go_where_what_they_name_would_go(tmp_path):
    root = tmp_path / "folder"
    write(root / "notes.txt")
    write(root / ".cache" / "kept.txt")
    write(root / "runs" / "kept.txt")
    write(root / "state.pkl")
    write(tmp_path / "folder2" / "outside.txt")
    for name, target in {
        "good": "notes.txt",
        "hidden": ".cache/kept.txt",
        "of-a-run": "runs/kept.txt",
        "pickled": "state.pkl",
        "folder": "runs",
        "broken": "nothing",
        "outside": "../folder2/outside.txt",
    }.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    plan = list_files(root)
    assert plan.files.keys() == {"notes.txt", "good"}
    assert plan.left_out == {
        ".cache/": "hidden",
        "runs/": RUN,
        "state.pkl": PICKLE,
        "hidden": "hidden",
        "of-a-run": RUN,
        "pickled": PICKLE,
        "folder/": "a link to a folder, or to nothing",
        "broken": "a link to a folder, or to nothing",
        "outside": "a link out of the folder, to ../folder2/outside.txt",
        "pipe": "no regular file",
    }


def planned(folder, present, needed=(), replace_card=False) -> PushPlan:
    return plan_push(folder, dict.fromkeys(present) | present, replace_card=replace_card, needed=set(needed))


@pytest.mark.parametrize(
    ("files", "replaced", "kept"),
    [
        (["model.safetensors"], ["pytorch_model.bin", "adapter_config.json", "model-00001-of-00002.safetensors"], ["vocab.json"]),
        (["model.safetensors"], ["model.safetensors.index.json", "tf_model.h5"], ["model.safetensors", "other/model.safetensors"]),
        (["tokenizer.json"], ["vocab.json", "merges.txt"], ["model.safetensors", "adapter_config.json", "sub/vocab.json"]),
        (["tokenizer_config.json"], ["chat_template.json"], ["tokens.json"]),
        (["sub/tokenizer.json", "sub/model.safetensors"], ["sub/vocab.json", "sub/pytorch_model.bin"], ["vocab.json", "pytorch_model.bin"]),
        (["notes.txt"], [], ["vocab.json", "pytorch_model.bin"]),
    ],
)  # fmt: skip
def test_what_is_replaced(tmp_path, files, replaced, kept):
    for name in files:
        write(tmp_path / name)
    plan = planned(tmp_path, dict.fromkeys([*replaced, *kept]))
    assert plan.deleted == sorted(replaced) and plan.files.keys() == set(files)
    assert plan.notes() == [f"deleted, since the new files replace it: {name}" for name in sorted(replaced)]


@pytest.mark.parametrize(
    ("theirs", "replace_card", "goes"), [(False, False, False), (False, True, True), (True, False, True), (None, False, True)]
)  # fmt: skip
def test_the_card(tmp_path, theirs, replace_card, goes):
    write(tmp_path / "README.md")
    plan = planned(tmp_path, {} if theirs is None else {"README.md": theirs}, replace_card=replace_card)
    assert ("README.md" in plan.files) is goes and ("README.md" in plan.left_out) is not goes
    assert plan.deleted == [] and len(plan.notes()) == (0 if goes else 1)


def test_what_is_needed_and_may_not_go(tmp_path):
    write(tmp_path / "weights.pkl")
    planned(tmp_path, {})
    with pytest.raises(
        ValueError, match=r"weights\.pkl is a pickle, so it is not uploaded, but nothing loads without it"
    ):
        planned(tmp_path, {}, needed=["weights.pkl"])
