"""Predictions in the harness's form: resumable, and no instance takes another with it."""

import json

import pytest

from codefuse_hf.cli import main
from codefuse_hf.repair import swebench
from codefuse_hf.repair.model_choice import ModelChoice
from codefuse_hf.repair.swebench import Instance, Task, find_mirror, predict, read_instances
from helpers.chat_server import Refusal, chat_server
from helpers.dying import dies_on_1
from helpers.faulty_repository import ISSUES, PATH_OF, git, make_repository, right_model


@pytest.fixture(scope="module")
def mirrors(tmp_path_factory):
    root = tmp_path_factory.mktemp("mirrors")
    source = make_repository(root / "source")
    git(root, "clone", "-q", "--bare", str(source), str(root / "acme__shop.git"))
    return root


@pytest.fixture(scope="module")
def commit(mirrors):
    return git(mirrors / "source", "rev-parse", "HEAD").strip()


@pytest.fixture
def instances(commit):
    return [Instance(f"acme__shop-{number}", "acme/shop", commit, issue) for number, issue in enumerate(ISSUES[:4])]


@pytest.fixture
def task(online, mirrors):
    return lambda url, **options: Task(str(mirrors), ModelChoice("scripted", base_url=url, retries=0), **options)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_predictions_that_git_takes_at_the_base_commit(task, instances, mirrors, tmp_path):
    output = tmp_path / "out/predictions.jsonl"
    with chat_server(right_model) as server:
        details = predict(task(server.url, keep=str(tmp_path / "keep")), instances, output, workers=0)
    found = lines(output)
    assert [set(line) for line in found] == [{"instance_id", "model_name_or_path", "model_patch"}] * 4
    assert {line["model_name_or_path"] for line in found} == {"codefuse-hf-fix-scripted"}
    for line in found:
        git(mirrors / "source", "apply", "--check", "-", data=line["model_patch"])
    assert [each.status for each in details] == ["patch"] * 4 and details[2].files[0] == PATH_OF[2]
    assert details[0].usage.calls == 10 and len(lines(tmp_path / "out/predictions.jsonl.details.jsonl")) == 4
    assert (tmp_path / "keep/acme__shop-3/5-reader.json").is_file()


def test_no_patch_is_an_empty_string_and_done(task, instances, tmp_path):
    output = tmp_path / "predictions.jsonl"
    with chat_server(["I cannot."]) as server:
        (details,) = predict(task(server.url), instances[:1], output, workers=0)
        assert details.status == "no patch" and "holds no edit" in details.reason
        assert predict(task(server.url), instances[:1], output, workers=0) == []
    assert [line["model_patch"] for line in lines(output)] == [""]


def test_what_fails_loses_nothing_and_is_tried_again(task, instances, mirrors, tmp_path):
    """One repository is missing, one commit unknown, one answer refused."""
    odd = [
        instances[0],
        Instance("a-1", "acme/absent", "HEAD", "x"),
        Instance("a-2", "acme/shop", "0" * 40, "x"),
        *instances[1:3],
    ]
    output = tmp_path / "predictions.jsonl"

    def fails(messages):
        return Refusal(400) if ISSUES[1][:20] in messages[0]["content"] else right_model(messages)

    with chat_server(fails) as server:
        details = predict(task(server.url), odd, output, workers=0)
    reasons = {each.instance_id: each.reason for each in details if each.status == "failed"}
    assert set(reasons) == {"a-1", "a-2", "acme__shop-1"}
    assert "no git repository of acme/absent" in reasons["a-1"] and "400" in reasons["acme__shop-1"]
    assert [line["instance_id"] for line in lines(output)] == ["acme__shop-0", "acme__shop-2"]
    with chat_server(right_model) as server:
        details = predict(task(server.url), odd, output, workers=0)
    assert [each.instance_id for each in details if each.status == "patch"] == ["acme__shop-1"]
    assert len(lines(output)) == 3


def test_a_fault_of_ours_is_one_failure_with_its_traceback(task, instances, tmp_path, monkeypatch):
    monkeypatch.setattr(swebench, "find_mirror", lambda *_: 1 / 0)
    details = predict(task("http://x"), instances, tmp_path / "p.jsonl", workers=0)
    assert all(each.status == "failed" and "ZeroDivisionError" in each.reason for each in details) and len(details) == 4


def test_a_line_that_was_not_finished_is_done_again(task, instances, tmp_path):
    output = tmp_path / "predictions.jsonl"
    with chat_server(right_model) as server:
        predict(task(server.url), instances[:2], output, workers=0)
        text = output.read_text()
        output.write_text(text[:-20])
        predict(task(server.url), instances[:2], output, workers=0)
    assert output.read_text() == text


def test_another_file_is_not_added_to(task, instances, tmp_path):
    (tmp_path / "notes.txt").write_text("mine\n")
    with pytest.raises(ValueError, match="something other than predictions"):
        predict(task("http://x"), instances, tmp_path / "notes.txt", workers=0)
    assert (tmp_path / "notes.txt").read_text() == "mine\n"


def test_two_runs_do_not_write_to_one_file(task, instances, tmp_path):
    output = tmp_path / "predictions.jsonl"
    errors = []

    def during(messages):
        try:
            predict(task("http://x"), instances, output, workers=0)
        except OSError as error:
            errors.append(str(error))
        return right_model(messages)

    with chat_server(during) as server:
        predict(task(server.url), instances[:1], output, workers=0)
    assert errors and all("another process is at work" in error for error in errors)


@pytest.mark.slow
def test_several_processes_and_one_that_dies(mirrors, instances, tmp_path, monkeypatch):
    monkeypatch.setattr(swebench, "_attempted", dies_on_1)
    output = tmp_path / "predictions.jsonl"
    details = predict(Task(str(mirrors)), instances, output, workers=2)
    assert {each.instance_id: each.status for each in details} == {
        "acme__shop-0": "no model",
        "acme__shop-1": "failed",
        "acme__shop-2": "no model",
        "acme__shop-3": "no model",
    }
    assert sorted(line["instance_id"] for line in lines(output)) == ["acme__shop-0", "acme__shop-2", "acme__shop-3"]


def as_list(records):
    return json.dumps(records)


def as_object(records):
    return json.dumps({str(position): record for position, record in enumerate(records)})


def as_lines(records):
    return "\n".join(map(json.dumps, records)) + "\n"


@pytest.mark.parametrize("write", [as_list, as_object, as_lines])
def test_data_sets(instances, tmp_path, write):
    records = [{**json.loads(instance.to_json()), "hints_text": "", "extra": 1} for instance in instances]
    (tmp_path / "data.json").write_text(write(records))
    assert read_instances(tmp_path / "data.json") == instances


def test_a_parquet_file_is_a_data_set(mirrors, instances, tmp_path, capsys):
    from datasets import Dataset

    records = [{**json.loads(instance.to_json()), "hints_text": "", "version": "1"} for instance in instances]
    Dataset.from_list(records).to_parquet(str(tmp_path / "data.parquet"))
    assert read_instances(tmp_path / "data.parquet") == instances
    output = tmp_path / "predictions.jsonl"
    command = [
        "swebench",
        str(tmp_path / "data.parquet"),
        "--repositories",
        str(mirrors),
        "-o",
        str(output),
        "--no-llm",
    ]
    assert main([*command, "--limit", "1"]) == 0
    assert [line["instance_id"] for line in lines(output)] == [instances[0].instance_id]


def test_a_parquet_file_that_is_none_is_named(tmp_path):
    (tmp_path / "data.parquet").write_bytes(b"PAR0 nothing")
    with pytest.raises(ValueError, match=r"data\.parquet is no Parquet file"):
        read_instances(tmp_path / "data.parquet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no JSON", "neither JSON nor one JSON record a line"), ("[]", "holds no instance"), ("[1]", "record 0 is no instance"),
        ('[{"instance_id": "a"}]', "record 0 is no instance .'repo'"),
        ('[{"instance_id": "../a", "repo": "a/b", "base_commit": "c", "problem_statement": "p"}]', "impossible id"),
        ('[{"instance_id": "a", "repo": "../../b", "base_commit": "c", "problem_statement": 3}]', "must be of type str"),
    ],
)  # fmt: skip
def test_files_that_are_no_data_set(tmp_path, text, message):
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_instances(tmp_path / "data.json")


@pytest.mark.parametrize("folder", ["acme__shop", "acme/shop", "acme+shop/repo", "shop", "acme__shop.git"])
def test_mirrors(tmp_path, folder):
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "HEAD").write_text("ref: refs/heads/main\n")
    assert find_mirror(tmp_path, "acme/shop") == tmp_path / folder


def test_the_command(online, mirrors, instances, tmp_path, capsys):
    (tmp_path / "data.jsonl").write_text(as_lines([json.loads(instance.to_json()) for instance in instances]))
    output = tmp_path / "predictions.jsonl"
    command = ["swebench", str(tmp_path / "data.jsonl"), "--repositories", str(mirrors), "-o", str(output), "--no-llm"]
    assert main([*command, "--limit", "2", "--cache", str(tmp_path / "cache")]) == 0
    assert "2 no model" in capsys.readouterr().out
    assert main([*command, "--instances", "acme__shop-1", "acme__shop-3"]) == 0
    assert "1 no model; 1 were there already" in capsys.readouterr().out
    assert [line["model_patch"] for line in lines(output)] == [""] * 3
    assert main([*command, "--instances", "acme__shop-9"]) == 1
    assert "there is no acme__shop-9" in capsys.readouterr().err
