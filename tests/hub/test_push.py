"""`codefuse-hf push` and the libraries' own push_to_hub, against a Hub on a local socket, with the real client."""

import json
import shutil
import socket
import time

import pytest
import torch
from huggingface_hub import HfApi, ModelCard, constants
from transformers import LlamaConfig, LlamaForCausalLM

from codefuse_hf.cli import main
from codefuse_hf.hub.convert.core import convert_folder
from codefuse_hf.hub.push import push_folder
from helpers.processes import run_python
from helpers.published_layout import write_published


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A self-contained folder; tests do not change it."""
    root = tmp_path_factory.mktemp("push")
    write_published(root / "source")
    return convert_folder(root / "source", root / "model", max_shard_size="100KB", source_name="codefuse-ai/origin")


@pytest.fixture
def own_folder(folder, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(folder, tmp_path / "model")


def push(folder, repo_id, **options):
    return push_folder(folder, repo_id, **{"try_loading": False, **options})


# ---- where the files go


ROUND_TRIP = """
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
options = {"trust_remote_code": True, "revision": sys.argv[2]}
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], **options)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], **options)
ids = torch.arange(30)[None]
result = {
    "tokens": model.generate(ids, max_new_tokens=8, do_sample=False).tolist(),
    "class": type(model).__module__,
    "chat": tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False),
}
"""

LOCAL_TOKENS = """
import sys, torch, codefuse_hf
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
result = model.generate(torch.arange(30)[None], max_new_tokens=8, do_sample=False).tolist()
"""

PUSH = """
import io, sys
from codefuse_hf.cli import main
result = main(["push", *sys.argv[1:]])
"""


def test_push_and_load_a_branch_from_the_hub(hub, environment, folder):
    arguments = [str(folder), "user/round-trip", "--revision", "v1"]
    assert run_python(PUSH, *arguments, **environment()) == 0
    loaded = run_python(ROUND_TRIP, "user/round-trip", "v1", with_package=False, **environment())
    assert loaded["class"].startswith("transformers_modules.")
    assert loaded["tokens"] == run_python(LOCAL_TOKENS, str(folder))
    assert loaded["chat"] == "<role>HUMAN</role>x<role>ASSISTANT</role>"
    assert hub.repos["user/round-trip"].files("main") == {}, "only the branch was asked for"


def test_every_file_arrives_unchanged(client, folder):
    push(folder, "user/whole")
    files = client.repos["user/whole"].files()
    assert files.keys() == {path.name for path in folder.iterdir()}
    for path in folder.iterdir():
        assert client.read("user/whole", path.name) == path.read_bytes(), path.name
    assert all(blob.lfs == name.endswith(".safetensors") for name, blob in files.items())


def test_pushing_again_updates(client, own_folder):
    push(own_folder, "user/again")
    (own_folder / "LICENSE").write_text("terms")
    push(own_folder, "user/again", commit_message="Add the licence")
    repo = client.repos["user/again"]
    assert client.read("user/again", "LICENSE") == b"terms"
    assert repo.commits[repo.resolve("main")].title == "Add the licence"


def test_name_alone_means_the_account_of_the_token(client, folder):
    push(folder, "short")
    assert "user/short" in client.repos


def test_private(client, folder):
    push(folder, "user/secret", private=True)
    push(folder, "user/open")
    assert client.repos["user/secret"].private and not client.repos["user/open"].private


def test_pull_request_to_ones_own_repository(client, own_folder):
    push(own_folder, "user/reviewed")
    (own_folder / "LICENSE").write_text("terms")
    before = client.repos["user/reviewed"].resolve("main")
    commit = push(own_folder, "user/reviewed", create_pr=True, commit_message="Better weights")
    repo = client.repos["user/reviewed"]
    assert commit.pr_url.endswith("/user/reviewed/discussions/1")
    assert repo.resolve("main") == before and repo.pull_requests[1].title == "Better weights"
    assert repo.files("refs/pr/1").keys() - repo.files().keys() == {"LICENSE"}


def test_pull_request_to_somebody_elses_repository(client, own_folder):
    push(own_folder, "user/theirs")
    (own_folder / "LICENSE").write_text("terms")
    commit = push(own_folder, "user/theirs", create_pr=True, token="hf_other")
    assert commit.pr_url and client.repos["user/theirs"].pull_requests[1].author == "other"


def test_existing_branch_is_used(client, own_folder):
    push(own_folder, "user/branched")
    HfApi(endpoint=client.url).create_branch("user/branched", branch="dev")
    (own_folder / "LICENSE").write_text("terms")
    push(own_folder, "user/branched", revision="dev", commit_message="On dev")
    repo = client.repos["user/branched"]
    assert repo.commits[repo.resolve("dev")].title == "On dev"
    assert repo.commits[repo.resolve("main")].title != "On dev"


def test_a_training_runs_own_files_stay_at_home(client, own_folder, capsys):
    kept = ["checkpoint-5/", "runs/", "optimizer.pt", ".env", "training_args.bin", "events.out.tfevents.1.host.2"]
    kept += ["deep/events.out.tfevents.3", "trainer_state.json", "rng_state_0.pth", "extra.pkl", "pytorch_model.bin"]
    for name in [*kept, "notes.txt", "deep/notes.txt"]:
        path = own_folder / name
        path.parent.mkdir(exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
            (path / "model.safetensors").write_text("x")
        elif name.endswith(".bin"):
            torch.save({"x": torch.ones(1)}, path)
        else:
            path.write_text("x")
    push(own_folder, "user/trained")
    names = client.repos["user/trained"].files().keys()
    assert {"notes.txt", "deep/notes.txt"} <= names and len(names & set(kept)) == 0
    assert not any(name.startswith(("checkpoint-5", "runs")) for name in names)
    said = capsys.readouterr().err
    assert all(f"not uploaded: {name}: " in said for name in kept)


def test_links_out_of_the_folder_stay_at_home(client, own_folder, tmp_path, capsys):
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "secret.txt").write_text("secret")
    (own_folder / ".env").write_text("secret")
    targets = {
        "out.txt": tmp_path / "secret.txt",
        "up.txt": "../secret.txt",
        "more": tmp_path / "more",
        "env.txt": ".env",
    }
    for name, target in targets.items():
        (own_folder / name).symlink_to(target)
    (own_folder / "chained.txt").symlink_to("out.txt")
    (own_folder / "loop").symlink_to("loop")
    (own_folder / "readme-too.md").symlink_to("README.md")
    push(own_folder, "user/linked")
    names = client.repos["user/linked"].files().keys()
    assert not names & {*targets, "chained.txt", "loop", "more/secret.txt"} and "readme-too.md" in names
    assert not any(data == b"secret" for data in client.blobs.values())
    said = capsys.readouterr().err
    assert "out.txt: a link out of the folder, to" in said and "env.txt: hidden" in said


@pytest.mark.parametrize("name", ["config.json", "modeling_rodimus.py", "model-00001-of-00002.safetensors"])
def test_a_folder_that_is_links_to_what_it_needs_is_refused(client, own_folder, tmp_path, name):
    """As a snapshot in the Hub client's cache is."""
    name = next(iter(sorted(path.name for path in own_folder.glob(name.replace("00002", "*")))))
    (own_folder / name).rename(tmp_path / name)
    (own_folder / name).symlink_to(tmp_path / name)
    with pytest.raises(ValueError, match="nothing loads without it"):
        push(own_folder, "user/links-only")
    assert "user/links-only" not in client.repos


# ---- over what is there already


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    """The same model, whole and in shards."""
    root = tmp_path_factory.mktemp("layouts")
    write_published(root / "source")
    return {
        size: convert_folder(root / "source", root / size, max_shard_size=size, source_name="codefuse-ai/origin")
        for size in ("100KB", "150KB", "1GB")
    }


def weights(names):
    return {name for name in names if name.startswith(("model", "pytorch_model")) and not name.endswith(".py")}


@pytest.mark.parametrize("before", ["100KB", "150KB", "1GB"])
@pytest.mark.parametrize("after", ["100KB", "1GB"])
def test_weights_of_another_layout_are_replaced_in_one_commit(client, layouts, before, after):
    name = f"user/from-{before}-to-{after}"
    push(layouts[before], name)
    first = client.repos[name].resolve("main")
    push(layouts[after], name)
    repo = client.repos[name]
    assert weights(repo.files()) == weights(path.name for path in layouts[after].iterdir())
    assert before == after or repo.commits[repo.resolve("main")].parent == first


def test_whatever_would_be_read_instead_is_replaced(client, layouts, capsys):
    push(layouts["1GB"], "user/mixed")
    repo = client.repos["user/mixed"]
    old = [
        "pytorch_model.bin",
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model.bin.index.json",
        "adapter_config.json",
    ]
    old += [
        "adapter_model.safetensors",
        "model.safetensors.index.json",
        "tf_model.h5",
        "vocab.json",
        "chat_template.json",
    ]
    others = ["onnx/model.onnx", "model-Q4.gguf", "LICENSE", "eval.json", "other/model.safetensors", "plot.png"]
    files = dict(repo.files())
    for name in old + others:
        files[name] = client.put(b"old", lfs=False)
    repo.set_head("main", repo.add_commit(files, repo.resolve("main"), "Old", "user"))
    capsys.readouterr()
    push(layouts["1GB"], "user/mixed", commit_message="New")
    names = repo.files().keys()
    assert not names & set(old) and set(others) <= names
    said = capsys.readouterr().err
    assert all(f"replaces it: {name}" in said or f"replace it: {name}" in said for name in old)
    assert repo.commits[repo.resolve("main")].title == "New"


def put_card(client, name, text):
    repo = client.repos[name]
    files = {**repo.files(), "README.md": client.put(text.encode(), lfs=False)}
    repo.set_head("main", repo.add_commit(files, repo.resolve("main"), "Card", "user"))


@pytest.mark.parametrize("own", ["filled", "written"])
def test_a_card_that_is_not_ours_stays_unless_asked(client, own_folder, own, capsys):
    if own == "written":
        (own_folder / "README.md").write_text("# Another\n")
    name = f"user/card-{own}"
    push(own_folder, name)
    put_card(client, name, "# Theirs\nTheir words.\n")
    push(own_folder, name)
    assert client.read(name, "README.md") == b"# Theirs\nTheir words.\n"
    assert "not uploaded: README.md: the repository's own card" in capsys.readouterr().err
    push(own_folder, name, replace_card=True)
    assert client.read(name, "README.md") == (own_folder / "README.md").read_bytes()


def test_our_own_card_is_brought_up_to_date(client, own_folder):
    push(own_folder, "user/ours")
    put_card(client, "user/ours", client.read("user/ours", "README.md").decode().replace("parameters", "PARAMETERS"))
    push(own_folder, "user/ours")
    assert client.read("user/ours", "README.md") == (own_folder / "README.md").read_bytes()


def test_command_says_where(client, folder, capsys):
    assert main(["push", str(folder), "user/told", "--create-pr", "--private", "--message", "Hello"]) == 0
    assert f"{client.url}/user/told/discussions/1" in capsys.readouterr().out
    assert client.repos["user/told"].private and client.repos["user/told"].pull_requests[1].title == "Hello"


# ---- the model card


def test_card_names_the_repository_and_the_origin(client, own_folder):
    push(own_folder, "user/carded")
    card = ModelCard(client.read("user/carded", "README.md").decode())
    assert "# carded" in card.text and 'from_pretrained("user/carded"' in card.text
    assert "those of `codefuse-ai/origin`" in card.text and card.data.base_model == "codefuse-ai/origin"
    assert card.data.library_name == "transformers" and card.data.pipeline_tag == "text-generation"


def test_a_card_that_somebody_wrote_is_kept(client, own_folder):
    (own_folder / "README.md").write_text("---\nlicense: mit\ntags: [mine]\n---\n# Mine\nMy words.\n")
    push(own_folder, "user/written")
    card = ModelCard(client.read("user/written", "README.md").decode())
    assert card.text.strip() == "# Mine\nMy words."
    assert card.data.license == "mit" and card.data.library_name == "transformers"
    assert {"mine", "rodimus"} <= set(card.data.tags)


# ---- what cannot be pushed


def delete(name):
    return lambda folder: [path.unlink() for path in folder.glob(name)]


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def edit_config(**changes):
    def apply(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (delete("config.json"), "has no config.json"),
        (delete("modeling_rodimus.py"), "there is no readable modeling_rodimus.py"),
        (delete("gated_linear_attention.py"), "gated_linear_attention.py is imported, but absent"),
        (delete("tokenization_rodimus_fast.py"), "tokenizer_config.json: auto_map names tokenization_rodimus_fast"),
        (delete("*.safetensors*"), "has no weights"),
        (delete("model-00001*"), "model-00001-of-0000"),
        (write("configuration_rodimus.py", "import codefuse_hf\nclass RodimusConfig: pass"), "imports codefuse_hf"),
        (write("configuration_rodimus.py", "class Other: pass"), "has no class RodimusConfig"),
        (write("config.json", "{"), "not valid JSON"),
        (write("adapter_config.json", "{}"), "merge_and_unload"),
        (edit_config(auto_map=None), "no auto_map"),
    ],
)
def test_folder_that_is_not_self_contained(client, own_folder, damage, message):
    damage(own_folder)
    with pytest.raises((ValueError, OSError), match=message):
        push(own_folder, "user/broken")
    assert "user/broken" not in client.repos


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (edit_config(n_layer=3), r"model\.layers\.2\.mixer\.fc\.weight is missing"),
        (write("padding_rodimus.py", "raise RuntimeError('broken code')"), "RuntimeError: broken code"),
    ],
)
def test_folder_that_does_not_load(client, own_folder, damage, message):
    damage(own_folder)
    with pytest.raises(ValueError, match=message):
        push(own_folder, "user/unloadable", try_loading=True, trust_remote_code=True)
    assert "user/unloadable" not in client.repos


def test_code_of_others_is_not_run_without_consent(client, own_folder, tmp_path, capsys):
    marker = tmp_path / "the code was run"
    source = own_folder / "configuration_rodimus.py"
    source.write_text(f"from pathlib import Path\nPath({str(marker)!r}).touch()\n{source.read_text()}")
    edit_config(n_layer=3)(own_folder)
    with pytest.raises(ValueError, match=r"mixer\.fc\.weight is missing"):  # found with the installed classes
        push(own_folder, "user/foreign", try_loading=True)
    assert not marker.exists() and "it was not run" in capsys.readouterr().err
    edit_config(n_layer=2)(own_folder)
    push(own_folder, "user/foreign", try_loading=True, trust_remote_code=True)
    assert marker.exists()


def test_the_projects_own_code_is_run_without_asking(client, folder, capsys):
    push(folder, "user/own", try_loading=True)
    assert "it was not run" not in capsys.readouterr().err


def test_a_model_that_transformers_knows_needs_no_code(client, tmp_path):
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "llama")
    push(tmp_path / "llama", "user/llama", try_loading=True)
    assert "model.safetensors" in client.repos["user/llama"].files()


# ---- the Hub says no


def test_no_token(client, folder, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PermissionError, match="no token found; log in"):
        push(folder, "user/x")


def test_wrong_token(client, folder):
    with pytest.raises(PermissionError, match="token is not valid"):
        push(folder, "user/x", token="hf_wrong")


def test_somebody_elses_account(client, folder):
    with pytest.raises(PermissionError, match="lacks the permission"):
        push(folder, "other/x")


def test_somebody_elses_repository(client, folder):
    push(folder, "user/mine")
    with pytest.raises(PermissionError, match="lacks the permission"):
        push(folder, "user/mine", token="hf_other")


def test_offline(client, folder, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConnectionError, match="HF_HUB_OFFLINE"):
        push(folder, "user/x")


def test_dead_endpoint_is_noticed_at_once(client, folder, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="cannot be reached"):
        push(folder, "user/x")
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("repo_id", ["a/b/c", "user/", "bad name", ""])
def test_impossible_repo_id(client, folder, repo_id):
    with pytest.raises(ValueError, match="no repo id"):
        push(folder, repo_id)


def test_command_explains_errors(client, tmp_path, capsys):
    assert main(["push", str(tmp_path / "nowhere"), "user/x"]) == 1
    assert "there is no folder" in capsys.readouterr().err


# ---- the libraries' own ways to push


LIBRARIES = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments
import codefuse_hf
folder, work = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
model.push_to_hub("user/by-model")
tokenizer.push_to_hub("user/by-model")
model.save_pretrained(work + "/saved", push_to_hub=True, repo_id="user/by-save")
data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 2
arguments = TrainingArguments(
    work + "/run", max_steps=1, push_to_hub=True, hub_model_id="user/by-trainer", report_to=[], use_cpu=True,
    disable_tqdm=True, save_strategy="no",
)
trainer = Trainer(model, arguments, train_dataset=data, processing_class=tokenizer)
trainer.train()
trainer.push_to_hub()
result = True
"""


def test_the_libraries_own_pushes_are_self_contained(hub, environment, folder, tmp_path):
    assert run_python(LIBRARIES, str(folder), str(tmp_path), **environment())
    sources = {"configuration_rodimus.py", "modeling_rodimus.py", "gated_linear_attention.py", "padding_rodimus.py"}
    for name in ("user/by-model", "user/by-save", "user/by-trainer"):
        files = hub.repos[name].files().keys()
        assert sources | {"config.json", "model.safetensors"} <= files, name
        assert "auto_map" in json.loads(hub.read(name, "config.json"))
    for name in ("user/by-model", "user/by-trainer"):
        assert "tokenization_rodimus_fast.py" in hub.repos[name].files(), name
    loaded = run_python(ROUND_TRIP, "user/by-trainer", "main", with_package=False, **environment())
    assert len(loaded["tokens"][0]) == 38


# ---- converting from the Hub


CONVERT = """
import sys
from codefuse_hf.cli import main
result = main(["convert", *sys.argv[1:]])
"""


def test_convert_a_repo_id(hub, environment, tmp_path):
    """A published repository: no code, weights in both formats, on a branch."""
    published = tmp_path / "published"
    write_published(published)
    (published / "pytorch_model.bin").write_bytes(b"never downloaded")
    (published / "modeling_rodimus.py").write_text("raise RuntimeError('never downloaded')")
    api = HfApi(endpoint=hub.url, token="hf_user")
    constants_offline, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, False
    disable_xet, constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET, True
    try:
        api.create_repo("user/published")
        api.create_branch("user/published", branch="old")
        api.upload_folder(repo_id="user/published", folder_path=published, revision="old")
    finally:
        constants.HF_HUB_OFFLINE, constants.HF_HUB_DISABLE_XET = constants_offline, disable_xet
    result = tmp_path / "result"
    arguments = ["user/published", str(result), "--revision", "old"]
    assert run_python(CONVERT, *arguments, **environment(None)) == 0
    assert (result / "model.safetensors").is_file()
    assert "base_model: user/published" in (result / "README.md").read_text()
    assert not any(
        ".bin" in line or ".py" in line for line in hub.log if line.startswith("GET /user/published/resolve")
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["user/absent"], "no such repository"), (["user/whole", "--revision", "x"], "no such revision")],
)
def test_convert_explains_what_the_hub_lacks(client, folder, tmp_path, capsys, arguments, message):
    if "user/whole" not in client.repos:
        push(folder, "user/whole")
    assert main(["convert", arguments[0], str(tmp_path / "result"), *arguments[1:]]) == 1
    assert message in capsys.readouterr().err
