"""Vectors of node segments on disk, found by their content: a graph already seen costs no encoding."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from codefuse_hf.modeling.whole_file import remove_abandoned, whole_file


class NodeEmbeddingCache:
    """Vectors of segments by the hash of their tokens, in safetensors files of one folder per encoder.

    Files are only added, each of them whole or not at all, so that several processes may share a folder. A broken file
    is as good as none, and what killed processes have left is removed.

    ```python
    >>> cache = NodeEmbeddingCache("~/.cache/cgm-nodes", model.encoder_fingerprint())
    >>> vectors = model.encode_segments(segments, cache=cache)
    ```
    """

    def __init__(self, folder: str | os.PathLike, fingerprint: str):
        """`fingerprint`: says which encoder the vectors are of, see `encoder_fingerprint`."""
        self.folder = Path(folder).expanduser() / fingerprint
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned(self.folder.glob("*.partial"))
        self._vectors: dict[bytes, tuple[Path, int]] = {}
        self._seen: set[Path] = set()
        self.refresh()

    def __len__(self) -> int:
        return len(self._vectors)

    def refresh(self) -> None:
        """Read the keys of files that have been added by other processes."""
        for file in sorted(self.folder.glob("*.safetensors")):
            if file in self._seen:
                continue
            self._seen.add(file)
            try:
                with safe_open(file, framework="pt") as stored:
                    keys = stored.get_tensor("keys").numpy()
            except (SafetensorError, OSError):
                continue
            self._vectors.update((key.tobytes(), (file, row)) for row, key in enumerate(keys))

    @staticmethod
    def key(segment: Sequence[int]) -> bytes:
        """Return the hash of a segment's tokens, 32 bytes."""
        return hashlib.sha256(torch.tensor(segment, dtype=torch.int64).numpy().tobytes()).digest()

    def get(self, keys: Sequence[bytes]) -> dict[bytes, torch.Tensor]:
        """Return the vectors `[embedding_dim]` of those of `keys` that are known."""
        wanted: dict[Path, list[tuple[bytes, int]]] = {}
        for key in dict.fromkeys(keys):
            if key in self._vectors:
                file, row = self._vectors[key]
                wanted.setdefault(file, []).append((key, row))
        found = {}
        for file, entries in wanted.items():
            with safe_open(file, framework="pt") as stored:
                vectors = stored.get_tensor("vectors")
            found.update((key, vectors[row]) for key, row in entries)
        return found

    def put(self, vectors: dict[bytes, torch.Tensor]) -> None:
        """Add vectors, in one new file."""
        vectors = {key: vector for key, vector in vectors.items() if key not in self._vectors}
        if not vectors:
            return
        keys = torch.frombuffer(bytearray(b"".join(vectors)), dtype=torch.uint8).view(len(vectors), -1)
        stacked = torch.stack([vector.detach().cpu() for vector in vectors.values()])
        file = self.folder / f"{hashlib.sha256(b''.join(vectors)).hexdigest()[:32]}.safetensors"
        with whole_file(file) as partial:
            save_file({"keys": keys, "vectors": stacked}, partial)
        self._seen.add(file)
        self._vectors.update((key, (file, row)) for row, key in enumerate(vectors))


def encoder_fingerprint(encoder: torch.nn.Module) -> str:
    """Return a name of an encoder's weights and settings: the same for the same vectors, 32 hexadecimal digits."""
    digest = hashlib.sha256(f"{encoder.pooling} {encoder.normalize}".encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        data = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {data.dtype} {tuple(data.shape)}".encode())
        digest.update(data.view(torch.uint8).numpy() if data.dim() else data.reshape(1).view(torch.uint8).numpy())
    return digest.hexdigest()[:32]
