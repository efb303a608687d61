"""Run an exported model that reads whole texts: a classifier, or CGE."""

from pathlib import Path

import torch
from transformers import AutoConfig

from ..hub.download import fetch_repository
from ..hub.exported_folder import read_manifest
from .exported_model import check_tokens


class ExportedEncoder:
    """A `RodimusForSequenceClassification` or a `CGEModel` that runs outside of PyTorch, from a folder of `export_folder`.

    ```python
    >>> encoder = ExportedEncoder.from_pretrained("cge-onnx")
    >>> encoder(input_ids, attention_mask)  # embeddings [batch, embedding_dim], or logits [batch, labels]
    ```
    """

    def __init__(self, exported, static_shape: tuple[int, int] | None, vocab_size: int):
        self.exported, self.static_shape, self.vocab_size = exported, static_shape, vocab_size

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, trust_remote_code: bool = False, revision: str | None = None, **runner_kwargs
    ) -> "ExportedEncoder":
        """Load an exported folder, or that of a repo id; further arguments go to transformers' runner of its format.

        Raises:
            ValueError: not an exported folder, or a torch.export archive that is not trusted; OSError: no such folder or
                repository.
        """
        from transformers.exporters import ExportedModel

        folder = fetch_repository(str(folder), revision)
        manifest = read_manifest(folder)
        name = manifest["export_format"]
        if name == "dynamo" and not trust_remote_code:
            raise ValueError(
                f"{folder} holds a torch.export archive, which can run code when it is read: pass trust_remote_code=True if "
                "you trust its author"
            )
        if name == "openvino":
            runner_kwargs.setdefault("config", {"INFERENCE_PRECISION_HINT": "f32"})
        exported = ExportedModel.from_pretrained(folder, trust_remote_code=trust_remote_code, **runner_kwargs)
        shape = manifest["components"]["model"]["metadata"]["kwargs"]["input_ids"]["shape"]
        vocab_size = AutoConfig.from_pretrained(folder).vocab_size
        return cls(exported, tuple(shape) if name == "executorch" else None, vocab_size)

    def __call__(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Embeddings or logits, `[batch, width]`, of texts `[batch, seq_len]`; without a mask all tokens are real.

        Raises:
            ValueError: no token ids, or a text longer than a graph of fixed size.
        """
        check_tokens(input_ids, self.vocab_size)
        attention_mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        input_ids, attention_mask = input_ids.long(), attention_mask.long()
        if self.static_shape is None:
            return self.result(self.exported(input_ids=input_ids, attention_mask=attention_mask))
        length = self.static_shape[1]
        if input_ids.shape[1] > length:
            raise ValueError(f"the exported graph takes {length} tokens at most, got {input_ids.shape[1]}")
        fill = (0, length - input_ids.shape[1])
        rows = [torch.nn.functional.pad(x, fill) for x in (input_ids, attention_mask)]
        outputs = [self.exported(input_ids=i[None], attention_mask=m[None]) for i, m in zip(*rows, strict=True)]
        return torch.cat([self.result(output) for output in outputs])

    @staticmethod
    def result(output) -> torch.Tensor:
        """Take the embedding or the logits out of a model's output."""
        names = ("sentence_embedding", "embedding", "logits")  # of CGE's graph, of CGE, of a classifier
        return next(output[name] for name in names if name in output)
