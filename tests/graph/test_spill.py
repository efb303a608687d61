"""What is put away comes back as it was, from whatever thread, until it is closed."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codefuse_hf.graph.spill import Spill

steps = st.tuples(st.integers(0, 5), st.none() | st.binary(max_size=5000))


@settings(max_examples=100)
@given(st.lists(steps, max_size=40))
def test_it_is_a_dictionary(steps):
    spill, expected = Spill(), {}
    for key, value in steps:
        if value is None:
            del spill[key]
            expected.pop(key, None)
        else:
            spill[key] = expected[key] = value
        assert {key: spill[key] for key in expected} == expected
        for absent in set(range(6)) - set(expected):
            with pytest.raises(KeyError):
                _ = spill[absent]
    spill.close()


def test_threads_may_share_it():
    spill, found = Spill(), []
    spill[1] = b"one"
    thread = threading.Thread(target=lambda: found.append(spill[1]))
    thread.start()
    thread.join()
    assert found == [b"one"]


def test_a_full_disk_is_told():
    spill = Spill()
    spill._database.execute("PRAGMA max_page_count = 20")  # as full as a disk can be
    with pytest.raises(OSError, match="no room for intermediate results among the temporary files"):
        for key in range(100):
            spill[key] = bytes(20_000)
    spill.close()
