"""Labelled programs of others: scores, and what a run says of the differences."""

import json

from graph_accuracy import suite_report, suite_scores

PROGRAMS = {
    "right": ("def f(): pass\nf()\nprint(1)\n", {"main": ["main.f", "<builtin>.print"]}),
    "wrong_label": ("def f(): pass\ndef g(): f()\ng()\n", {"main": ["main.g", "main.f"], "main.g": ["main.f"]}),
    "not_labelled": ("def f(): pass\nf()\n", {"main": []}),
    "raises": ("def f(): pass\nlen(1)\n", {"main": ["main.f"]}),
}


def test_differences_say_what_happens_when_the_program_is_run(tmp_path):
    suite = tmp_path / "others"
    for name, (text, labels) in PROGRAMS.items():
        (suite / "some" / name).mkdir(parents=True)
        (suite / "some" / name / "main.py").write_text(text)
        (suite / "some" / name / "callgraph.json").write_text(json.dumps(labels))
    found = suite_scores(suite)
    assert (found["programs"], found["exact_programs"], found["labelled_calls"], found["found_calls"]) == (4, 1, 5, 4)
    assert found["missed"] == {
        "some/raises": [["main", "main.f", "the program raises TypeError"]],
        "some/wrong_label": [["main", "main.f", "does not happen"]],
    }
    assert found["wrong"] == {"some/not_labelled": [["main", "main.f", "happens"]]}
    lines = suite_report({suite.name: found})
    assert "| others | 4 | 1 | 5 | 0.750 | 0.600 |" in lines
    assert lines[-1] == "* others, some/not_labelled: `main` → `main.f` is found, not labelled; happens"
