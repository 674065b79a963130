"""The door to OpenVINO: a sentence-transformers model compiled for this processor, to embed many texts at a time.

OpenVINO computes in bfloat16 where the processor does (AMX, AVX-512 BF16), in float32 elsewhere. Compiling a model for
the first time takes seconds; what comes of it is kept in a folder of its own, never among the model's files, which are
checked.
"""

from __future__ import annotations

import os
import tempfile
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from rag_rationale.types import Vectors

MOST_TOKENS = 512  # a batch: what one core computes on should stay in its cache
Batch = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Positions of texts, shape (n,); their token ids and what of these is no padding, both of shape (n, length)."""


class Compiled:
    """Embeds token ids with a graph that `traced` made; `padding` fills short rows. `threads`: as many batches are
    computed at once, each on one core (default: all cores).

    Each batch has a thread of ours that waits for it. OpenVINO's own threads must hold nothing of Python's, as those of
    its AsyncInferQueue do: letting go of a model waits for them with the interpreter's lock held, which they may want.
    """

    def __init__(self, graph: Any, *, padding: int, threads: int | None) -> None:
        threads = threads or os.cpu_count() or 1
        options = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads}
        compiled = openvino.Core().compile_model(graph, "CPU", options)
        self._requests = [compiled.create_infer_request() for _ in range(threads)]
        self._padding = padding

    def embed(self, ids: Sequence[Sequence[int]], done: Callable[[int], None]) -> Vectors:
        """Vectors of shape (len(ids), d) as the model makes them, in the order given; `done` is told of each batch.

        From one thread at a time.
        """
        vectors: list[Vectors | None] = [None] * len(ids)
        batches, lock = _batches(ids, self._padding), threading.Lock()

        def work(request: Any) -> None:
            while True:
                with lock:
                    batch = next(batches, None)
                if batch is None:
                    return
                positions, padded, mask = batch
                made = request.infer({0: padded, 1: mask}, share_inputs=True)[0]
                for at, vector in zip(positions.tolist(), made, strict=True):
                    vectors[at] = vector
                with lock:
                    done(len(positions))

        with ThreadPoolExecutor(len(self._requests)) as threads:
            working = [threads.submit(work, request) for request in self._requests]
            try:
                wait(working, return_when=FIRST_EXCEPTION)
            finally:  # where one failed, or this one is interrupted, only the batches under way are waited for
                with lock:
                    batches.close()
        for finished in working:
            finished.result()
        return np.stack([vector for vector in vectors if vector is not None])


class _Whole(torch.nn.Module):
    """A model from token ids to vectors, pooling and all, in arguments that can be traced."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.model({"input_ids": input_ids, "attention_mask": attention_mask})[
            "sentence_embedding"
        ]
        return made


def traced(model: SentenceTransformer, folder: Path | None) -> Any:
    """The model as OpenVINO's graph: as kept in `folder`, else traced, and kept there if that can be.

    What is kept is given as its path, so that the model can be let go of before the graph is loaded. Weights that half
    a float holds exactly are kept so.
    """
    kept = folder / f"{openvino.__version__.partition('-')[0]}.xml" if folder else None
    if kept and kept.is_file():
        return kept
    example = torch.ones(2, 16, dtype=torch.long)
    told = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # the tracer looks at every attribute, a training loss among them
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about branches that every length takes alike
            inputs = {"input_ids": example, "attention_mask": example}
            graph = openvino.convert_model(_Whole(model), example_input=inputs)
    finally:
        transformers_logging.set_verbosity(told)
    if kept is None:
        return graph
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:  # two processes may be at it
            openvino.save_model(graph, Path(scratch) / kept.name, compress_to_fp16=_halves(model))
            for suffix in (".bin", ".xml"):
                (Path(scratch) / kept.with_suffix(suffix).name).replace(kept.with_suffix(suffix))
    except OSError:
        return graph  # a folder that cannot be written to: traced anew the next time
    return kept


def _halves(model: SentenceTransformer) -> bool:
    return all(torch.equal(weight, weight.half().float()) for weight in model.parameters())


def _batches(ids: Sequence[Sequence[int]], padding: int) -> Generator[Batch]:
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
