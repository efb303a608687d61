"""Scores of several kinds become one."""

import numpy as np
import pytest

from codefuse_hf.search.ranking import add_named, combine, is_data, named_in, priors, spread


def test_scores_are_between_0_and_1_and_of_any_scale():
    words, files, cosines = np.array([4.0, 2, 0]), np.array([1.0, 3, 3]), np.array([0.1, 0.2, 0.9])
    scores = combine(words, files, cosines)
    assert scores.min() >= 0 and scores.max() <= 1
    np.testing.assert_allclose(scores, combine(10 * words, 7 * files, cosines / 2))


def test_what_is_best_in_everything_has_the_score_1():
    best = np.array([0.0, 1.0])
    assert combine(best, best, None).tolist() == [0, 1]
    np.testing.assert_allclose(combine(best, best, best), [0, 1])
    np.testing.assert_allclose(add_named(best, np.array([False, True])), [0, 1])


def test_scores_are_the_weighted_means():
    words, files, cosines = np.array([4.0, 2, 0, 0]), np.array([1.0, 3, 0, 0]), np.array([0, 0, 0.6, 1])
    by_words = np.array([1 + 0.6 / 3, 0.5 + 0.6, 0, 0])
    np.testing.assert_allclose(combine(words, files, None), by_words / 1.6)
    np.testing.assert_allclose(spread(cosines), [0, 0, 1 / 3, 1])  # from their mean, 0.4
    np.testing.assert_allclose(combine(words, files, cosines), (by_words + 0.5 * spread(cosines)) / 2.1)


def test_each_kind_of_evidence_counts():
    same = np.array([1.0, 1.0])
    for position in range(3):
        evidence = [same, same, same]
        evidence[position] = np.array([0.5, 1.0])
        first, second = combine(*evidence)
        assert first < second


def test_a_clear_match_of_words_is_not_outvoted_by_rank():
    """What reciprocal ranks do: the second of both rankings beats the clear first of one."""
    words, cosines = np.array([10.0, 1.0, 0.0]), np.array([0.1, 0.35, 0.4])
    assert combine(words, np.zeros(3), cosines).argmax() == 0


def test_nothing_found_is_zero():
    nothing = np.zeros(3)
    assert combine(nothing, nothing, None).tolist() == [0, 0, 0]
    assert spread(np.full(3, 0.2)).tolist() == [0, 0, 0]


def test_functions_before_what_holds_them_and_tests_behind():
    kinds = np.array(["function", "function", "class", "file", "function"], dtype=object)
    no = np.zeros(5, bool)
    factors = priors(kinds, np.array([10, 1, 50, 100, 10]), np.array([False, False, False, False, True]), no)
    assert factors[0] == 1 and all(factors[0] > each for each in factors[1:])


@pytest.mark.parametrize(
    ("kind", "size", "test", "data", "factor"),
    [
        ("function", 1, False, False, 0.5),
        ("function", 2, False, False, 0.65),
        ("function", 3, False, False, 0.8),
        ("function", 4, False, False, 1),
        ("class", 1, False, False, 0.6 * 0.5),
        ("class", 3, True, False, 0.6 * 0.8 * 0.7),
        ("section", 1, False, False, 0.6),
        ("section", 4, False, True, 0.6 * 0.5),
        ("file", 2, False, False, 0.5),
        ("file", 9, True, True, 0.5 * 0.7 * 0.5),
    ],
)
def test_priors_are_products(kind, size, test, data, factor):
    kinds = np.array([kind], dtype=object)
    np.testing.assert_allclose(priors(kinds, np.array([size]), np.array([test]), np.array([data])), [factor])


def test_data_stands_behind_what_people_wrote():
    paths = ["guide.md", "tokenizer.json", "web/package-lock.JSON", "poetry.lock", "lib/app.min.js", "lib/app.js"]
    data = np.array([is_data(path) for path in paths])
    assert data.tolist() == [False, True, True, True, True, False]
    factors = priors(np.array(["section"] * 6, dtype=object), np.full(6, 9), np.zeros(6, bool), data)
    assert (factors[data] < factors[~data].min()).all() and (factors > 0).all()


def test_a_question_names_units_by_their_class_or_file():
    names = ["Config.from_object", "Config.get", "merge_setting", "GsonBuilder.create()", "create", "Axios.request", ""]
    paths = ["src/config.py", "src/config.py", "sessions.py", "GsonBuilder.java", "other.py", "Axios.js", "create.py"]

    def named(query):
        return [name for name, found in zip(names, named_in(query, names, paths), strict=True) if found]

    assert named("flask.Config.from_object ignores lower case") == ["Config.from_object"]
    assert named("make GsonBuilder#create() idempotent") == ["GsonBuilder.create()"]
    assert named("what does sessions.merge_setting do?") == ["merge_setting"]
    assert named("Axios.prototype.request and Config::get") == ["Config.get", "Axios.request"]
    assert named(" `merge_setting()` ") == ["merge_setting"] and named("create") == ["GsonBuilder.create()", "create"]
    assert named("create a request. Then from_object, prototype.prototype, create.prototype") == [] and named("") == []


def test_what_is_named_comes_first_and_scores_stay_between_0_and_1():
    scores = np.array([0.6, 0.2, 0.0])
    np.testing.assert_allclose(add_named(scores, np.array([False, True, False])), [0.6 / 1.5, 0.7 / 1.5, 0])
    assert add_named(np.ones(1), np.ones(1, bool)).tolist() == [1.0]
    assert add_named(scores, np.zeros(3, bool)).tolist() == scores.tolist()
