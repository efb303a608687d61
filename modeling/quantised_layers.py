"""4-bit layers of bitsandbytes on a CPU: those whose widths its fast format cannot hold take the plain way."""

from torch import nn

_ROWS = 32  # of a block in that format


def avoid_unfit_cpu_format(model: nn.Module) -> None:
    """Keep bitsandbytes from repacking 4-bit weights that do not fit the format of its kernels for CPUs with AVX-512 BF16.

    It does so at the first forward pass in evaluation mode, without a check: outputs must be a multiple of 32, and inputs of the
    block size (64), or there is a shape error. (bitsandbytes 0.50; a Llama of such widths fails alike.) Rodimus' gates have 32 inputs.
    """
    for module in model.modules():
        if not getattr(module, "support_avx512bf16_for_cpu", False):
            continue
        block = getattr(getattr(module.weight, "quant_state", None), "blocksize", 64)
        if module.out_features % _ROWS or module.in_features % block:
            module.support_avx512bf16_for_cpu = False
