"""Weights of an ONNX graph in 8 or 4 bits: products by ONNX Runtime's `MatMulNBits`, and look-ups in the same tables.

One matrix after another, so that no more than one of them exists twice.
"""

import numpy as np
import onnx_ir

# Numbers that share a scale: more of them make smaller files, and rougher weights.
_BLOCKS = (128, 64, 32, 16)
_ROWS = 1024


def quantize_onnx(model: onnx_ir.Model, bits: int, kept) -> onnx_ir.Model:
    """Quantise all products with constant matrices, and look-ups in tables, in place; a head and an embedding that share their
    weights share one table here too.

    Args:
        model: a graph in float32.
        bits: 8 or 4.
        kept: which matrices are not quantised, asked by `array in kept`; they are stored in float16, and computed with in float32.
    """
    _fold_transposed(model)
    tables: dict[str, tuple] = {}
    for node in list(model.graph):
        weight = _matrix(node, "MatMul", 1)
        if weight is None:
            continue
        if weight.const_value.numpy() in kept:
            _store_in_half(model, node)
        else:
            tables[weight.name] = _quantize_product(model, node, bits)
    for node in list(model.graph):
        table = _matrix(node, "Gather", 0)
        if table is not None:
            parts = tables.get(f"{table.name}.transposed") or _quantized(model, table, table.const_value.numpy(), bits)
            _look_up(model, node, bits, *parts)
    return model


def _matrix(node: onnx_ir.Node, kind: str, place: int) -> onnx_ir.Value | None:
    """The constant float32 matrix among a node's inputs, if it is a node of this kind with one."""
    value = node.inputs[place] if node.op_type == kind else None
    if value is None or value.const_value is None or not value.is_initializer():
        return None
    tensor = value.const_value
    return value if len(tensor.shape) == 2 and tensor.dtype == onnx_ir.DataType.FLOAT else None


def _fold_transposed(model: onnx_ir.Model) -> None:
    """Make matrices of transposed ones, in place: a head that shares its weights with the embedding is written as the table,
    transposed, and only a product with a matrix itself is quantised."""
    for node in list(model.graph):
        table = _matrix(node, "Transpose", 0)
        if table is None:
            continue
        value = _constant(model, f"{table.name}.transposed", table.const_value.numpy().T)
        onnx_ir.convenience.replace_all_uses_with(node.outputs[0], value)
        model.graph.remove(node, safe=True)


def block_of(width: int) -> int:
    """Choose how many of `width` inputs share a scale: the most that leave little of the last block empty."""
    return next((block for block in _BLOCKS if -width % block <= width // 16), _BLOCKS[-1])


def _quantized(model: onnx_ir.Model, value: onnx_ir.Value, rows: np.ndarray, bits: int) -> tuple:
    """Numbers from 0 to 2 ** bits − 1 around the middle, `[rows, blocks, bytes of a block]`, and scales `[rows, blocks]`, of a
    matrix whose rows are quantised in blocks; they take the matrix's place among the constants."""
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, DefaultWeightOnlyQuantizer

    # Symmetric: levels lie around 0, as weights do.
    config = DefaultWeightOnlyQuantConfig(block_size=block_of(rows.shape[1]), is_symmetric=True, bits=bits)
    quantizer = DefaultWeightOnlyQuantizer(config)
    # Some rows at a time: it wants them transposed, and to transpose a whole table takes its memory once more, and twice the time.
    starts = range(0, len(rows), _ROWS)
    pieces = [quantizer.qbits_block_quant(np.ascontiguousarray(rows[i : i + _ROWS].T))[:2] for i in starts]
    numbers, scales = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    parts = {f"{value.name}_Q{bits}": numbers, f"{value.name}_scales": scales}
    return tuple(_constant(model, name, array) for name, array in parts.items())


def _quantize_product(model: onnx_ir.Model, node: onnx_ir.Node, bits: int) -> tuple:
    weight = node.inputs[1]
    array = weight.const_value.numpy()
    parts = _quantized(model, weight, array.T, bits)
    # Level 4: the activations of a block are rounded to 8 bits, and products are those of integers.
    settings = {"K": array.shape[0], "N": array.shape[1], "bits": bits, "block_size": block_of(array.shape[0])}
    new = onnx_ir.node(
        "MatMulNBits", [node.inputs[0], *parts], settings | {"accuracy_level": 4}, domain="com.microsoft"
    )
    model.graph.opset_imports.setdefault("com.microsoft", 1)
    _replace(model, node, [new])
    _forget(model, weight)
    return parts


def _store_in_half(model: onnx_ir.Model, node: onnx_ir.Node) -> None:
    """Store a product's matrix in float16; ONNX Runtime widens it once, when it loads the graph."""
    weight = node.inputs[1]
    half = _constant(model, f"{weight.name}_half", weight.const_value.numpy().astype(np.float16))
    wide = onnx_ir.node("Cast", [half], {"to": int(onnx_ir.DataType.FLOAT)})
    model.graph.insert_before(node, wide)
    node.replace_input_with(1, wide.outputs[0])
    _forget(model, weight)


def _look_up(model: onnx_ir.Model, node: onnx_ir.Node, bits: int, numbers: onnx_ir.Value, scales: onnx_ir.Value):
    """Put a look-up in a quantised table in the place of a `Gather`."""
    table, places = node.inputs[:2]
    (count, width), blocks = table.const_value.shape, numbers.const_value.shape[1]
    dims, block = [0] * len(places.shape), block_of(width)
    steps: list[onnx_ir.Node] = []

    def constant(key: str, value) -> onnx_ir.Value:
        return _constant(model, f"{table.name}.{key}", np.asarray(value))

    def add(kind: str, *inputs, **attributes) -> onnx_ir.Value:
        steps.append(onnx_ir.node(kind, inputs, attributes))
        return steps[-1].outputs[0]

    last, rows = constant("last", [-1]), add("Gather", numbers, places, axis=0)
    if bits == 4:  # two numbers lie in a byte, the lower half first
        low = add("BitwiseAnd", rows, constant("low", np.uint8(15)))
        high = add("BitShift", rows, constant("high", np.uint8(4)), direction="RIGHT")
        pairs = add("Concat", add("Unsqueeze", low, last), add("Unsqueeze", high, last), axis=-1)
        rows = add("Reshape", pairs, constant("of_blocks", [*dims, blocks, block]))
    wide = add(
        "Sub", add("Cast", rows, to=int(onnx_ir.DataType.FLOAT)), constant("middle", np.float32(2 ** (bits - 1)))
    )
    scale = add("Gather", add("Reshape", scales, constant("of_scales", [count, blocks])), places, axis=0)
    found = add("Mul", wide, add("Unsqueeze", scale, last))
    found = add("Reshape", found, constant("of_rows", [*dims, blocks * block]))
    if blocks * block != width:
        found = add("Slice", found, *(constant(key, [x]) for key, x in (("from", 0), ("to", width), ("along", -1))))
    _replace(model, node, steps)
    _forget(model, table)


def _constant(model: onnx_ir.Model, name: str, array: np.ndarray) -> onnx_ir.Value:
    tensor = onnx_ir.tensor(array, name=name)
    value = onnx_ir.Value(name=name, const_value=tensor, shape=tensor.shape, type=onnx_ir.TensorType(tensor.dtype))
    model.graph.register_initializer(value)
    return value


def _replace(model: onnx_ir.Model, node: onnx_ir.Node, steps: list[onnx_ir.Node]) -> None:
    """Put other nodes, the last of which has the result, in the place of one."""
    model.graph.insert_before(node, steps)
    old, new = node.outputs[0], steps[-1].outputs[0]
    new.name, new.type, new.shape = old.name, old.type, old.shape
    onnx_ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
    model.graph.remove(node, safe=True)


def _forget(model: onnx_ir.Model, value: onnx_ir.Value) -> None:
    """Drop a constant that nothing reads any more."""
    if not value.uses() and not value.is_graph_output():
        del model.graph.initializers[value.name]
