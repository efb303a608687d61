"""What generation costs as the context grows: the quickstart's model beside a Llama of the same size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import measure as measuring
from ..modeling.rodimus.modeling_rodimus import RodimusForCausalLM

MEASURED_REPEATS, STEPS_PER_REPEAT = 3, 5
MEASURED_STEPS = MEASURED_REPEATS * (STEPS_PER_REPEAT + 1)


def measure(model: RodimusForCausalLM, contexts: Sequence[int], png: Path, seed: int) -> dict[str, Any]:
    """Measure time per token and cache at growing context, beside a Llama of the same size; prints the table, draws `png`."""
    config = model.config
    parameters = measuring.count_parameters(model)
    llama = measuring.llama_of_size(parameters, config.vocab_size, config.hidden_size, _llama_depth(model))
    models = {"Rodimus+": model, "Llama": llama}
    records = measuring.measure_decoding(models, contexts, STEPS_PER_REPEAT, MEASURED_REPEATS, seed)
    print(
        f"Time per token and cache, {parameters / 1e6:.1f} M parameters each, one sequence:\n\n{measuring.table(records)}"
    )
    measuring.plot_decoding(records, png, f"Decoding on a CPU, {parameters / 1e6:.1f} M parameters")
    return {
        "parameters": {name: measuring.count_parameters(model) for name, model in models.items()},
        "records": [record.as_dict() for record in records],
    }


def _llama_depth(model: RodimusForCausalLM) -> int:
    """Count the layers of a Llama of the same width and size, with the usual feed-forward width of 8/3 of the width."""
    width = model.config.hidden_size
    in_layers = sum(p.numel() for p in model.parameters()) - model.config.vocab_size * width
    return max(round(in_layers / (12 * width**2)), 1)
