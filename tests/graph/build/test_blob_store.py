"""What is put away comes back as it was, and room is used again."""

from hypothesis import given
from hypothesis import strategies as st

from codefuse_hf.graph.build.blob_store import BlobStore, _room


@given(st.lists(st.tuples(st.sampled_from(["put", "replace", "remove"]), st.binary(max_size=5000)), max_size=40))
def test_blobs_come_back(steps):
    store, kept = BlobStore(in_memory=4000), []
    for step, blob in steps:
        if step == "put" or not kept:
            kept.append((store.put(blob), blob))
        elif step == "replace":
            handle, _ = kept.pop(0)
            kept.append((store.replace(handle, blob), blob))
        else:
            store.remove(kept.pop()[0])
        assert all(store.get(handle) == expected for handle, expected in kept)
    store.close()


def test_room_is_used_again():
    store = BlobStore()
    handle = None
    for size in range(100_000, 104_000, 40):
        handle = store.replace(handle, bytes(size))
    assert store._end <= 2 * _room(104_000)
    assert store.get(handle) == bytes(103_960)


@given(st.integers(0, 1 << 40))
def test_room_fits_and_wastes_little(length):
    assert length <= _room(length) <= max(1024, 1.25 * length)
