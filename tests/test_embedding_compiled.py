"""Graphs in 8 bit, and which of them a processor is given: a model small enough to know every number of."""

from __future__ import annotations

import sys
from pathlib import Path

import bounded
import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from rag_rationale.embedding import compiled
from rag_rationale.embedding.compiled import Batch, Streams, batches, compile_graph
from rag_rationale.embedding.eight_bit import write_eight_bit

WORDS, WIDTH = 200, 64
chance = np.random.default_rng(5)
TEXTS = [chance.integers(WORDS, size=chance.integers(2, 30)).tolist() for _ in range(60)]


def _graph(path: Path) -> Path:
    """The mean of words' vectors behind four products, some columns of which hold far larger numbers than others."""
    drawn = np.random.default_rng(1)

    def weights(out: int, length: int) -> np.ndarray:
        made = drawn.standard_normal((out, length)).astype(np.float32) / length**0.5
        made[:3] *= 6
        return made

    ids, mask = ops.parameter([-1, -1], np.int64), ops.parameter([-1, -1], np.int64)
    state = ops.gather(ops.constant(weights(WORDS, WIDTH)), ids, ops.constant(0))
    for out, length in ((128, WIDTH), (WIDTH, 128), (128, WIDTH)):
        state = ops.relu(ops.matmul(state, ops.constant(weights(out, length)), transpose_a=False, transpose_b=True))
    state = ops.matmul(state, ops.constant(weights(WIDTH, 128)), transpose_a=False, transpose_b=True)
    seen = ops.unsqueeze(ops.convert(mask, "f32"), ops.constant(2))
    pooled = ops.reduce_sum(ops.multiply(state, seen), ops.constant(1), keep_dims=False)
    openvino.save_model(openvino.Model([pooled], [ids, mask]), path, compress_to_fp16=False)
    return path


def _vectors(path: Path, precision: compiled.Precision) -> np.ndarray:
    request = compile_graph(path, precision, threads=1).create_infer_request()
    found = np.empty((len(TEXTS), WIDTH), np.float32)
    for positions, ids, mask in _batches():
        found[positions] = request.infer({0: ids, 1: mask})[0]
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def _batches() -> list[Batch]:
    return list(batches(TEXTS, 0))


def _stored(path: Path) -> list[str]:
    graph = openvino.Core().read_model(path)
    return [op.get_element_type().get_type_name() for op in graph.get_ops() if op.get_type_name() == "Constant"]


def test_batches_hold_every_text_once_and_little_padding() -> None:
    made = _batches()
    assert sorted(at for positions, _, _ in made for at in positions.tolist()) == list(range(len(TEXTS)))
    for positions, ids, mask in made:
        assert ids.size <= compiled.MOST_TOKENS
        for at, row, seen in zip(positions.tolist(), ids, mask, strict=True):
            assert row[seen.astype(bool)].tolist() == TEXTS[at]


def test_a_graph_in_eight_bit_tells_the_same_and_keeps_what_that_would_harm_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag_rationale.embedding.eight_bit._EXACT", 0.35)  # one of the four products
    source = _graph(tmp_path / "graph.xml")
    assert write_eight_bit(source, tmp_path / "eight_bit.xml", _batches())
    assert 1 <= _stored(tmp_path / "eight_bit.xml").count("i8") <= 3
    cosines = (_vectors(source, "float32") * _vectors(tmp_path / "eight_bit.xml", "8 bit")).sum(axis=1)
    assert cosines.min() > 0.9995
    assert cosines.min() < 1


def test_a_model_that_eight_bit_would_change_keeps_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_rationale.embedding.eight_bit.USUAL_COSINE", 1.0)
    source = _graph(tmp_path / "graph.xml")
    assert not write_eight_bit(source, tmp_path / "eight_bit.xml", _batches())
    assert not (tmp_path / "eight_bit.xml").exists()


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("avx2 fma", "float32"),
        ("avx2 avx512f avx512_bf16", "float32"),  # without AMX, bfloat16 is slower than float32
        ("avx512f avx512_vnni avx512_bf16", "8 bit"),
        ("avx512f avx512_vnni amx_tile amx_bf16", "bfloat16"),
        ("", "float32"),
    ],
)
def test_a_processor_computes_in_what_it_is_fastest_in(
    flags: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_flags", lambda: frozenset(flags.split()))
    assert compiled.precision_here() == precision


_LET_GO = """
import numpy as np
import openvino
from openvino import opset13 as ops
from rag_rationale.embedding.compiled import Streams, batches, compile_graph

ids, mask = (ops.parameter([-1, -1], np.int64, name=name) for name in ("ids", "mask"))
summed = ops.reduce_sum(ops.convert(ids * mask, "f32"), ops.constant(np.array([1])), keep_dims=True)
graph = openvino.Model([summed], [ids, mask])
texts = [[n, 1, 2] for n in range(600)]
for _ in range(200):
    streams, told, vectors = Streams(compile_graph(graph, "float32", threads=2), 2), [], np.zeros((600, 1), np.float32)
    streams.embed(batches(texts, 0), vectors, told.append)
    del streams
    assert sum(told) == 600
    assert vectors[:, 0].tolist() == [n + 3 for n in range(600)]
"""


def test_letting_go_of_a_compiled_model_never_waits_for_a_thread_that_waits_for_it() -> None:
    done = bounded.ran([sys.executable, "-c", _LET_GO], seconds=240)
    assert done.returncode == 0, done.stderr


def test_embedding_stops_where_whoever_is_told_of_progress_fails() -> None:
    ids, mask = (ops.parameter([-1, -1], np.int64, name=name) for name in ("ids", "mask"))
    graph = openvino.Model([ops.convert(ids * mask, "f32")], [ids, mask])
    streams, told = Streams(compile_graph(graph, "float32", threads=2), 2), list[int]()

    def fail(more: int) -> None:
        told.append(more)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        streams.embed(batches([[1]] * 5000, 0), np.zeros((5000, 1), np.float32), fail)
    assert len(told) <= 4
    streams.embed(batches([[1]] * 3, 0), np.zeros((3, 1), np.float32), told.append)
    assert told[-1] == 3


_AT_ONCE = """
import sys, threading, types
import openvino
from rag_rationale.embedding.compiled import Streams

Streams(types.SimpleNamespace(create_infer_request=lambda: None), 2)
both = threading.Barrier(2)

def first_call():
    both.wait()
    openvino.Type.i64.to_dtype()

sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=first_call) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_the_first_batches_of_two_threads_do_not_wait_for_each_other() -> None:
    """OpenVINO makes its table of NumPy's types when first asked: without `Streams` this hung nearly every time."""
    assert bounded.ran([sys.executable, "-c", _AT_ONCE], seconds=60).returncode == 0
