"""Configuration of Rodimus and Rodimus+ (arXiv 2410.06577), in the layout of the published checkpoints."""

import dataclasses
from typing import Any

from transformers.configuration_utils import PreTrainedConfig

from codefuse_hf.modeling.configuration_checks import Checks, ChecksOverrides

_CHECKS = Checks("RodimusConfig")
BLOCK_TYPES = ("rodimus", "rodimus_plus")

# What a published config leaves out. `normalize_epsilon` is 1e-5 in most of them and 1e-12 where the key is absent.
MIXER_DEFAULTS = {
    "expand_ratio": 2.0,
    "mem_size": 64,
    "input_gate_low_rank": "auto",
    "d_conv": 4,
    "normalize_epsilon": 1e-12,
}
ATTENTION_DEFAULTS = {
    "num_heads": None,
    "num_heads_k": None,
    "num_heads_v": None,
    "window_size": None,
    "ffn_expand_ratio": 4 / 3,
    "rotary_emb_dim": -1,
    "rotary_emb_base": 10000.0,
    "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None,
    "softmax_scale": None,
}

# Top-level keys that flash-linear-attention's class of this model type writes, and the published files do not have.
_FLA_KEYS = frozenset({"attn_mode", "conv_size", "expand_ratio", "fuse_norm", "hidden_ratio", "k_norm_eps", "ska_attn"})
# Properties that follow from the other keys and cannot be set.
DERIVED = (
    "d_conv",
    "d_inner",
    "has_attention",
    "head_dim",
    "input_gate_rank",
    "intermediate_size",
    "layer_types",
    "mem_size",
    "num_key_heads",
    "num_value_heads",
    "rotary_dim",
)
_SWITCHES = (
    "residual_in_fp32",
    "use_norm_embedding",
    "use_scale_embedding",
    "rescale_prenorm_residual",
    "tie_word_embeddings",
)


def _round_up(value: float, multiple: int) -> int:
    return -(-int(value) // multiple) * multiple


class RodimusConfig(ChecksOverrides, PreTrainedConfig):
    r"""
    Configuration of a Rodimus model. The keys are those of the published checkpoints; the standard names `hidden_size`,
    `num_hidden_layers`, `num_attention_heads`, `sliding_window`, `head_dim` and `layer_types` may be used as well.

    Args:
        vocab_size (`int`, defaults to 126464): size of the vocabulary.
        d_model (`int`, defaults to 2048): width of the residual stream (`hidden_size`).
        n_layer (`int`, defaults to 24): number of blocks (`num_hidden_layers`).
        block_type (`str`, defaults to `"rodimus"`): `"rodimus"`, a recurrent mixer per block, or `"rodimus_plus"`, a
            recurrent mixer, sliding-window shared-key attention and a feed-forward network per block.
        mixer_cfg (`dict`): the recurrent mixer. `expand_ratio` (d_inner over d_model), `mem_size` (rows of the state),
            `input_gate_low_rank` (rank of the input gate, or `"auto"`: max(d_model // 64, 16)), `d_conv` (taps of the
            short convolution), `normalize_epsilon` (floor of the keys' norm).
        attn_cfg (`dict`): attention and feed-forward network of `rodimus_plus`. `num_heads` (None: d_model // 128),
            `num_heads_k` (None: 1), `num_heads_v` (None: `num_heads`), `window_size` (a token sees the
            `window_size // 2` tokens before it and itself; None or ≤ 0: all), `ffn_expand_ratio`, `rotary_emb_dim`
            (channels that rotate; −1: all, 0: none), `rotary_emb_base`, `rotary_emb_interleaved`.
        norm_epsilon (`float`, defaults to 1e-5): epsilon of every RMSNorm.
        residual_in_fp32 (`bool`, defaults to `True`): keep the residual stream and `residual_weight` in float32.
        use_norm_embedding, use_scale_embedding (`bool`): RMSNorm after the embedding; embedding times √mem_size.
        initializer_range (`float`), rescale_prenorm_residual (`bool`): initialisation, see `RodimusPreTrainedModel`.
        dropout, activation_dropout, attention_dropout (`float`): dropout of the branches' outputs, of the feed-forward
            activations and of the attention weights.
        max_position_embeddings (`int`, defaults to 4096): the training context; nothing limits the length at inference.

    Keys that only ever chose a kernel (`mode`, `use_fast_path`, `use_fused_swiglu`, `use_fused_cross_entropy`, …) and
    unknown keys are kept and ignored. None (null) for any key is as good as leaving it out. What follows from other keys,
    such as `head_dim`, may be stated and is checked.

    Raises:
        ValueError: an impossible value; the message names the key and the allowed range.
    """

    model_type = "rodimus"
    keys_to_ignore_at_inference = ["past_key_values", "cache"]
    attribute_map = {
        "hidden_size": "d_model",
        "num_hidden_layers": "n_layer",
        "rms_norm_eps": "norm_epsilon",
    }
    own_keys = ("mixer_cfg", "attn_cfg", *DERIVED)

    vocab_size: int = 126464
    d_model: int = 2048
    n_layer: int = 24
    block_type: str = "rodimus"
    mixer_cfg: dict[str, Any] | None = None
    attn_cfg: dict[str, Any] | None = None
    norm_epsilon: float = 1e-5
    residual_in_fp32: bool = True
    use_norm_embedding: bool = False
    use_scale_embedding: bool = False
    initializer_range: float = 0.02
    rescale_prenorm_residual: bool = True
    dropout: float = 0.0
    activation_dropout: float = 0.0
    attention_dropout: float = 0.0
    max_position_embeddings: int = 4096
    use_cache: bool = True
    tie_word_embeddings: bool = True
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None

    def __post_init__(self, **kwargs):
        if len(_FLA_KEYS.intersection(kwargs)) >= 3:
            raise ValueError(
                "this is a configuration of flash-linear-attention's own Rodimus class, which has the same model_type, but other "
                f"names and shapes ({', '.join(sorted(_FLA_KEYS.intersection(kwargs)))}): its checkpoints are not read here. Load "
                "them with that library's class, fla.models.RodimusForCausalLM"
            )
        for field in dataclasses.fields(self):
            if getattr(self, field.name) is None and field.default is not None:
                setattr(self, field.name, field.default)
        kwargs = {name: value for name, value in kwargs.items() if value is not None}
        for name in ("mixer_cfg", "attn_cfg"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, dict):
                _CHECKS.refuse(name, "a dictionary", value)
        # Copies: a caller's dictionary is not changed, and two configs never share one.
        self.mixer_cfg = {**MIXER_DEFAULTS, **_without_none(self.mixer_cfg, MIXER_DEFAULTS)}
        self.attn_cfg = {**ATTENTION_DEFAULTS, **_without_none(self.attn_cfg, ATTENTION_DEFAULTS)}
        # Derived from the others; some tools write them, so they are accepted and checked rather than stored.
        stated = {name: kwargs.pop(name) for name in DERIVED if name in kwargs}
        heads = kwargs.pop("num_attention_heads", None)
        super().__post_init__(**kwargs)
        if heads is not None and heads != self.num_attention_heads:
            self.num_attention_heads = heads
        self.check_values()
        _CHECKS.derived(self, stated)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as data, with `num_attention_heads`, which PEFT's prompt tuning looks for there."""
        return {**super().to_dict(), "num_attention_heads": self.num_attention_heads}

    def to_diff_dict(self) -> dict[str, Any]:
        """Return what `config.json` holds: the fields that differ from the defaults, without what is derived."""
        return {key: value for key, value in super().to_diff_dict().items() if key != "num_attention_heads"}

    # ---- the recurrent mixer

    @property
    def mem_size(self) -> int:
        """Rows of the recurrent state (M)."""
        return self.mixer_cfg["mem_size"]

    @property
    def d_inner(self) -> int:
        """Width of the mixer, and columns of the recurrent state (I)."""
        return _round_up(self.d_model * self.mixer_cfg["expand_ratio"], 8)

    @property
    def d_conv(self) -> int:
        """Taps of the short convolution."""
        return self.mixer_cfg["d_conv"]

    @property
    def input_gate_rank(self) -> int:
        """Rank of the input gate's projection (R)."""
        rank = self.mixer_cfg["input_gate_low_rank"]
        return max(self.d_model // 64, 16) if rank == "auto" else int(rank)

    # ---- attention and feed-forward network of rodimus_plus

    @property
    def has_attention(self) -> bool:
        """Whether blocks have attention and a feed-forward network: Rodimus+."""
        return self.block_type == "rodimus_plus"

    @property
    def num_attention_heads(self) -> int:
        """Heads of the queries; by default one for 128 channels."""
        heads = self.attn_cfg["num_heads"]
        return max(self.d_model // 128, 1) if heads is None else heads

    @num_attention_heads.setter
    def num_attention_heads(self, value: int | None) -> None:
        self.attn_cfg["num_heads"] = value

    @property
    def num_key_heads(self) -> int:
        """Heads of the keys: 1 in shared-key attention."""
        heads = self.attn_cfg["num_heads_k"]
        return 1 if heads is None else heads

    @property
    def num_value_heads(self) -> int:
        """Heads of the values; by default as many as of the queries."""
        heads = self.attn_cfg["num_heads_v"]
        return self.num_attention_heads if heads is None else heads

    @property
    def head_dim(self) -> int:
        """Channels of each head."""
        return self.d_model // self.num_attention_heads

    @property
    def rotary_dim(self) -> int:
        """Channels of each head that rotate."""
        dim = self.attn_cfg["rotary_emb_dim"]
        return self.head_dim if dim < 0 else dim

    @property
    def sliding_window(self) -> int | None:
        """Tokens that a token sees, itself included; None: all before it, or no attention at all."""
        window = self.attn_cfg["window_size"]
        if not self.has_attention or window is None or window <= 0:
            return None
        return window // 2 + 1

    @sliding_window.setter
    def sliding_window(self, value: int | None) -> None:
        if value is not None:
            _CHECKS.integer("sliding_window", value, 1)
        self.attn_cfg["window_size"] = None if value is None else max(2 * (value - 1), 1)  # 0 would mean no window

    @property
    def is_bounded(self) -> bool:
        """Whether what a token sees has a bound, so that a text may have any length: no attention, or a window."""
        return not self.has_attention or self.sliding_window is not None

    @property
    def intermediate_size(self) -> int:
        """Width of the feed-forward network (F)."""
        return _round_up(self.d_model * self.attn_cfg["ffn_expand_ratio"], 8)

    @property
    def layer_types(self) -> list[str]:
        """What each layer keeps in a cache, in transformers' terms."""
        if not self.has_attention:
            return ["linear_attention"] * self.n_layer
        # A window of the token alone is beyond transformers' sliding cache layers, which then keep the wrong tokens.
        return ["hybrid" if self.sliding_window in (None, 1) else "hybrid_sliding"] * self.n_layer

    # ---- checks

    def check_values(self) -> None:
        """Refuse values that no model can have. Raises `ValueError` naming the key and what is allowed."""
        _CHECKS.choice("block_type", self.block_type, BLOCK_TYPES)
        for name in ("vocab_size", "d_model", "n_layer", "max_position_embeddings"):
            _CHECKS.integer(name, getattr(self, name), 1)
        for name in _SWITCHES:
            _CHECKS.switch(name, getattr(self, name))
        for name in ("dropout", "activation_dropout", "attention_dropout"):
            _CHECKS.number(name, getattr(self, name), 0.0, 1.0)
        _CHECKS.number("norm_epsilon", self.norm_epsilon, 0.0)
        _CHECKS.number("initializer_range", self.initializer_range, 0.0)
        mixer, attention = self.mixer_cfg, self.attn_cfg
        _CHECKS.number("mixer_cfg.expand_ratio", mixer["expand_ratio"], 1 / self.d_model)
        _CHECKS.integer("mixer_cfg.mem_size", mixer["mem_size"], 1)
        _CHECKS.integer("mixer_cfg.d_conv", mixer["d_conv"], 1)
        _CHECKS.number("mixer_cfg.normalize_epsilon", mixer["normalize_epsilon"], 0.0)
        rank = mixer["input_gate_low_rank"]
        if rank != "auto" and not (str(rank).isdecimal() and int(rank) >= 1):
            _CHECKS.refuse("mixer_cfg.input_gate_low_rank", "'auto' or an integer of at least 1", rank)
        for name in ("softmax_scale", "rotary_emb_scale_base"):
            if attention[name] is not None:
                do = "leave it out; no published checkpoint uses it, and what it would compute is not specified"
                _CHECKS.refuse(f"attn_cfg.{name}", "null", attention[name], do)
        if self.has_attention:
            self._check_attention_values()

    def _check_attention_values(self) -> None:
        attention, heads = self.attn_cfg, self.num_attention_heads
        _CHECKS.integer("attn_cfg.num_heads", heads, 1, self.d_model)
        _CHECKS.divides("attn_cfg.num_heads", heads, "d_model", self.d_model)
        for name, value in (("num_heads_k", self.num_key_heads), ("num_heads_v", self.num_value_heads)):
            _CHECKS.integer(f"attn_cfg.{name}", value, 1, heads)
            _CHECKS.divides(f"attn_cfg.{name}", value, "attn_cfg.num_heads", heads)
        window = attention["window_size"]
        if window is not None and not isinstance(window, int):
            _CHECKS.refuse("attn_cfg.window_size", "an integer (0 or less, or null, for no window)", window)
        _CHECKS.number("attn_cfg.ffn_expand_ratio", attention["ffn_expand_ratio"], 1 / self.d_model)
        _CHECKS.number("attn_cfg.rotary_emb_base", attention["rotary_emb_base"], 1.0)
        _CHECKS.switch("attn_cfg.rotary_emb_interleaved", attention["rotary_emb_interleaved"])
        _CHECKS.integer("attn_cfg.rotary_emb_dim", attention["rotary_emb_dim"], -1, self.head_dim)
        if self.rotary_dim % 2:
            even = f"even (-1 stands for the head size, here {self.head_dim})"
            _CHECKS.refuse("attn_cfg.rotary_emb_dim", even, self.rotary_dim)


def _without_none(values: dict[str, Any] | None, defaults: dict[str, Any]) -> dict[str, Any]:
    """A null stands for the default."""
    return {name: value for name, value in (values or {}).items() if value is not None or defaults.get(name) is None}


__all__ = ["RodimusConfig"]
