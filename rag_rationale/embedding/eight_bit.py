"""A model's graph with most of its weights as whole numbers of 8 bit, where that changes its vectors next to nothing.

Weights, and when computed what they are multiplied with, share a unit by groups of 32 along the sum. What a few columns
hold in large numbers is first divided out of the one and multiplied into the other, about half way (SmoothQuant; Xiao
et al. 2023), as a few texts show it. The products that this harms most for their size stay in float32. It does not know
what the model is.
"""

from __future__ import annotations

import importlib.resources
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops

from rag_rationale.embedding.compiled import (
    CARD,
    EIGHT_BIT,
    GRAPH,
    GROUP,
    Batch,
    batches,
    compile_graph,
    open_tokenizer,
)

USUAL_COSINE, LEAST_COSINE = 0.9999, 0.995  # between a text's vectors by the two graphs: of all texts, of any
_EXACT = 0.2  # of the weights stay as they are
_SMOOTHED = 0.6  # the power of what is multiplied that goes into the weights
_ROWS = 1024  # of what is multiplied that are looked at
_TEXTS, _LONGEST = 64, 128  # of the bundled reviews that show what a model computes with, tokens of each
_TINY = 1e-8
Matrix = NDArray[np.float32]


@dataclass(slots=True)
class _Product:
    """One product with fixed `weights`, shape (out, in): its `node` in the graph, and how far it is off in 8 bit."""

    node: Any
    weights: Matrix
    harm: float = 0.0


@dataclass(slots=True)
class _Input:
    """What some products multiply: `rows`, shape (n, in), as seen with some texts, and the `scale` to divide it by."""

    products: list[_Product]
    rows: Matrix = field(default_factory=lambda: np.empty((0, 0), np.float32))
    scale: Matrix = field(default_factory=lambda: np.empty(0, np.float32))

    def measure(self) -> None:
        usual = np.sqrt(np.mean(self.rows**2, axis=0)) + _TINY
        most = np.max([np.abs(product.weights).max(axis=0) for product in self.products], axis=0) + _TINY
        self.scale = np.asarray(usual**_SMOOTHED / most ** (1 - _SMOOTHED), np.float32)
        for product in self.products:
            right = self.rows @ product.weights.T
            rough = _rounded(self.rows / self.scale) @ _rounded(product.weights * self.scale).T
            product.harm = float(((rough - right) ** 2).sum() / ((right**2).sum() + _TINY))


def add_eight_bit(folder: Path, *, prefix: str) -> None:
    """Add the graph in 8 bit to what `tracing` left in a folder, or an empty file where it is not worth it. `prefix`
    is what the model wants before passages.
    """
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    tokenizer = open_tokenizer(folder, longest=min(_LONGEST, card["window"]))
    ids = [encoding.ids for encoding in tokenizer.encode_batch([prefix + text for text in _texts()])]
    del tokenizer  # takes more than the graph
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
        made = Path(scratch) / EIGHT_BIT
        if write_eight_bit(folder / GRAPH, made, list(batches(ids, card["padding"]))):
            made.with_suffix(".bin").replace(folder / made.with_suffix(".bin").name)
        else:
            made.touch()
        made.replace(folder / EIGHT_BIT)


def write_eight_bit(source: Path, target: Path, texts: Sequence[Batch]) -> bool:
    """Write the graph in `source` to `target` in 8 bit, as some texts tell. Whether that was worth it: false,
    and nothing written, where their vectors had cosines under USUAL_COSINE or LEAST_COSINE to what they were.
    """
    graph = openvino.Core().read_model(source)
    inputs = _inputs(graph)
    before = _watch(source, list(inputs.values()), texts)
    exact = _most_harmed([product for each in inputs.values() for product in each.products])
    for each in inputs.values():
        left = [product for product in each.products if id(product) not in exact]
        if left:
            _replace(left, each.scale)
    graph.validate_nodes_and_infer_types()
    after = _vectors(compile_graph(graph, "8 bit", threads=1), texts)
    cosines = _cosines(before, after)
    whole = len(exact) < sum(len(each.products) for each in inputs.values())
    if not whole or cosines.mean() < USUAL_COSINE or cosines.min() < LEAST_COSINE:
        return False
    openvino.save_model(graph, target, compress_to_fp16=False)
    return True


def _inputs(graph: Any) -> dict[tuple[str, int], _Input]:
    """The products with fixed weights that groups go into evenly, by what they multiply."""
    found: dict[tuple[str, int], _Input] = {}
    for node in graph.get_ordered_ops():
        if node.get_type_name() != "MatMul" or node.get_attributes()["transpose_a"]:
            continue
        weights = node.input_value(1).get_node()
        while weights.get_type_name() == "Convert":
            weights = weights.input_value(0).get_node()
        if weights.get_type_name() != "Constant" or len(weights.shape) != 2:
            continue
        numbers = np.asarray(weights.data, np.float32)
        numbers = numbers if node.get_attributes()["transpose_b"] else np.ascontiguousarray(numbers.T)
        if numbers.shape[1] % GROUP == 0:
            key = node.input_value(0).get_node().get_friendly_name(), node.input_value(0).get_index()
            found.setdefault(key, _Input([])).products.append(_Product(node, numbers))
    return found


def _watch(source: Path, inputs: Sequence[_Input], texts: Sequence[Batch]) -> Matrix:
    """Measure what every product multiplies, and return the vectors of the texts, one batch after the other."""
    graph = openvino.Core().read_model(source)
    graph.add_outputs([each.products[0].node.input_value(0) for each in _inputs(graph).values()])
    request = compile_graph(graph, "float32", threads=1).create_infer_request()
    every = max(sum(int(mask.sum()) for _, _, mask in texts) // _ROWS, 1)
    vectors, rows = [], [list[Matrix]() for _ in inputs]
    for _, ids, mask in texts:
        request.infer({0: ids, 1: mask})
        vectors.append(request.get_output_tensor(0).data.copy())
        for at, kept in enumerate(rows):
            kept.append(request.get_output_tensor(at + 1).data[mask.astype(bool)][::every])
    for each, kept in zip(inputs, rows, strict=True):
        each.rows = np.concatenate(kept)
        each.measure()
        each.rows = np.empty((0, 0), np.float32)
    return np.concatenate(vectors)


def _most_harmed(products: Sequence[_Product]) -> set[int]:
    """Those that stay exact, by their `id`: an `_EXACT` share of all weights, most harmed for their size first."""
    exact, room = set[int](), _EXACT * sum(product.weights.size for product in products)
    for product in sorted(products, key=lambda product: -product.harm / product.weights.size):
        room -= product.weights.size
        if room < 0:
            break
        exact.add(id(product))
    return exact


def _replace(products: Sequence[_Product], scale: Matrix) -> None:
    """Put the 8-bit twins of some products of one input in their places."""
    source = products[0].node.input_value(0)
    divided = ops.multiply(source, ops.constant((1 / scale)[None, None]))
    for product in products:
        out, length = product.weights.shape
        whole, unit = _whole(product.weights * scale)
        stored = ops.multiply(ops.convert(ops.constant(whole), "f32"), ops.constant(unit))
        weights = ops.reshape(stored, np.array([out, length]), special_zero=False)
        twin = ops.matmul(divided, weights, transpose_a=False, transpose_b=True)
        for target in list(product.node.output(0).get_target_inputs()):
            target.replace_source_output(twin.output(0))


def _whole(numbers: Matrix) -> tuple[NDArray[np.int8], Matrix]:
    """Numbers of shape (n, length) by groups: whole ones of shape (n, groups, GROUP), their units of (n, groups, 1)."""
    groups = numbers.reshape(len(numbers), -1, GROUP)
    unit = np.asarray(np.abs(groups).max(axis=2, keepdims=True) / 127 + _TINY, np.float32)
    return np.round(groups / unit).astype(np.int8), unit


def _rounded(numbers: Matrix) -> Matrix:
    whole, unit = _whole(numbers)
    return np.asarray((whole * unit).reshape(numbers.shape), np.float32)


def _vectors(compiled: Any, texts: Sequence[Batch]) -> Matrix:
    request = compiled.create_infer_request()
    return np.concatenate([request.infer({0: ids, 1: mask})[0].copy() for _, ids, mask in texts])


def _cosines(one: Matrix, other: Matrix) -> NDArray[np.float64]:
    """The cosine of each row of the one to the same of the other."""
    products = np.einsum("nd,nd->n", one, other, dtype=np.float64)
    return np.asarray(products / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1))


def _texts() -> list[str]:
    """Texts in both languages, spread over the bundled reviews."""
    path = importlib.resources.files("rag_rationale") / "sample" / "reviews.jsonl"
    texts = [json.loads(line).get("text") or "" for line in path.read_text(encoding="utf-8").splitlines()]
    return texts[:: max(len(texts) // _TEXTS, 1)][:_TEXTS]
