"""Weight decay as a model wants it, in `transformers.Trainer`."""

from torch import nn


class ModelWeightDecayMixin:
    """Spares from weight decay what the model names in `no_weight_decay()`, in addition to what `Trainer` spares.

    `Trainer` goes by layer type and by name, and would decay for instance Rodimus' `residual_weight` and final norm. It
    matters for `weight_decay > 0` only. Use it in front of a trainer class:

        class MyTrainer(ModelWeightDecayMixin, Trainer): ...
    """

    def get_decay_parameter_names(self, model: nn.Module) -> list[str]:
        """List the names of the parameters of `model` (wrapped or not) that weight decay applies to."""
        spared = set()
        for prefix, module in model.named_modules():
            if hasattr(type(module), "no_weight_decay"):
                spared |= {f"{prefix}.{name}".removeprefix(".") for name in module.no_weight_decay()}
        return [name for name in super().get_decay_parameter_names(model) if name not in spared]
