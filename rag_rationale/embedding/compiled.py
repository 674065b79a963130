"""The door to OpenVINO: a sentence-transformers model compiled for this processor, to embed many texts at a time.

It needs neither torch nor transformers, which take half a gigabyte: `tracing` has left all it takes in a folder, which
is never the model's own, since the files of that are checked.

    graph.xml .bin        the model, pooling and all, its weights as halves where these hold them exactly
    eight_bit.xml .bin    the same with most weights as whole numbers, or an empty file where that was not worth it
    tokenizer.json        as the tokenizers package reads it
    card.json             dimension, window, padding and special tokens
"""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino
from numpy.typing import NDArray
from tokenizers import Tokenizer

from rag_rationale.types import Vectors

MOST_TOKENS = 512  # a batch: what one core computes on should stay in its cache
GRAPH, EIGHT_BIT, TOKENIZER, CARD = "graph.xml", "eight_bit.xml", "tokenizer.json", "card.json"
GROUP = 32  # numbers next to each other that share a scale, in 8 bit
_FORM = 2  # counted up when other graphs are made of the same model, so that those kept are made anew
Precision = Literal["float32", "bfloat16", "8 bit"]
Batch = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Positions of texts, shape (n,); their token ids and what of these is no padding, both of shape (n, length)."""


def release() -> str:
    """OpenVINO's, a graph of which is no other's, and that of what is made of a model here."""
    return f"{str(openvino.__version__).partition('-')[0]}-{_FORM}"


def precision_here() -> Precision:
    """What this processor computes fastest in, of what is close enough.

    Without AMX, bfloat16 halves the rate of float32, whatever AVX-512 BF16 promises; whole numbers double it where
    there is AVX-512 VNNI.
    """
    flags = _flags()
    if "amx_bf16" in flags:
        return "bfloat16"
    return "8 bit" if "avx512_vnni" in flags else "float32"


@lru_cache
def _flags() -> frozenset[str]:
    """What the processor can do; nothing where the system does not tell."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8") if platform.machine() == "x86_64" else ""
    except OSError:
        told = ""
    return frozenset(next((line for line in told.splitlines() if line.startswith("flags")), "").split())


class Compiled:
    """Embeds texts with what lies in `folder`. `threads`: as many batches are computed at once, each on one core
    (default: all cores).
    """

    def __init__(self, folder: Path, *, threads: int | None) -> None:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        self.dimension, self._padding = int(card["dimension"]), int(card["padding"])
        self.special: list[str] = card["special"]
        self._tokenizer = open_tokenizer(folder, longest=int(card["window"]))
        workers = threads or os.cpu_count() or 1
        self.precision = precision_here()
        graph = folder / (EIGHT_BIT if self.precision == "8 bit" else GRAPH)
        if self.precision == "8 bit" and not (graph.exists() and graph.stat().st_size):
            self.precision, graph = "float32", folder / GRAPH
        self._streams = Streams(compile_graph(graph, self.precision, threads=workers), workers)

    def embed(self, texts: Sequence[str], done: Callable[[int], None]) -> Vectors:
        """Vectors of shape (len(texts), d) as the model makes them, in the order given; `done` hears of each batch.

        From one thread at a time.
        """
        vectors = np.empty((len(texts), self.dimension), np.float32)
        self._streams.embed(batches(self.tokens(texts), self._padding), vectors, done)
        return vectors

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, cut to the model's window."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]


class Streams:
    """Computes `count` batches at once with a compiled graph.

    Each has a thread of ours that waits for it. OpenVINO's own threads must hold nothing of Python's, as those of its
    AsyncInferQueue do: letting go of a model waits for them with the interpreter's lock held, which they may want.
    """

    def __init__(self, compiled: Any, count: int) -> None:
        self._requests = [compiled.create_infer_request() for _ in range(count)]
        # Its table of NumPy's types is made when first asked for. Two threads that ask at once wait for each other, the
        # one with the interpreter's lock, the other with that of the table: for ever.
        openvino.Type.i64.to_dtype()

    def embed(self, told: Generator[Batch], vectors: Vectors, done: Callable[[int], None]) -> None:
        """Put the vectors of all batches in their places; `done` is told of each. From one thread at a time."""
        lock = threading.Lock()

        def work(request: Any) -> None:
            while True:
                with lock:
                    batch = next(told, None)
                if batch is None:
                    return
                positions, padded, mask = batch
                vectors[positions] = request.infer({0: padded, 1: mask}, share_inputs=True)[0]
                with lock:
                    done(len(positions))

        with ThreadPoolExecutor(len(self._requests)) as threads:
            working = [threads.submit(work, request) for request in self._requests]
            try:
                wait(working, return_when=FIRST_EXCEPTION)
            finally:  # where one failed, or this one is interrupted, only the batches under way are waited for
                with lock:
                    told.close()
        for finished in working:
            finished.result()


def open_tokenizer(folder: Path, *, longest: int) -> Tokenizer:
    """The tokenizer that lies in a folder; texts are cut to so many tokens and not padded."""
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return tokenizer


def compile_graph(graph: Any, precision: Precision, *, threads: int) -> Any:
    """A graph, or the path of one, compiled to compute on `threads` cores, a batch on each."""
    options = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "NUM_STREAMS": threads,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": GROUP if precision == "8 bit" else 0,
    }
    return openvino.Core().compile_model(graph, "CPU", options)


def batches(ids: Sequence[Sequence[int]], padding: int) -> Generator[Batch]:
    """Texts of like length together, longest first, as many as MOST_TOKENS allows."""
    order = sorted(range(len(ids)), key=lambda at: -len(ids[at]))
    while order:
        length = max(len(ids[order[0]]), 1)
        some, order = order[: max(MOST_TOKENS // length, 1)], order[max(MOST_TOKENS // length, 1) :]
        padded = np.full((len(some), length), padding, np.int64)
        mask = np.zeros_like(padded)
        for row, at in enumerate(some):
            padded[row, : len(ids[at])], mask[row, : len(ids[at])] = ids[at], 1
        yield np.array(some), padded, mask
