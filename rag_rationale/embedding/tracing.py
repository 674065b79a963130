"""The door to sentence-transformers and torch: loads a model's folder, and leaves in another what `compiled` takes.

python -m rag_rationale.embedding.tracing MODEL FOLDER     in a process of its own, whose memory then goes
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import openvino
import torch
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from rag_rationale.embedding.compiled import CARD, GRAPH, TOKENIZER
from rag_rationale.errors import ModelMissingError
from rag_rationale.types import Vectors

_AT_ONCE = 1 << 20  # weights


def load(folder: Path) -> SentenceTransformer:
    """A model in float32. ModelMissingError where sentence-transformers cannot load it."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        return SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32}
        ).eval()
    except (OSError, ValueError, KeyError) as error:
        raise ModelMissingError(
            f"{folder} holds no model that sentence-transformers can load: {error}.",
            remedy="Give a sentence-transformers folder, or run `rag-rationale models prepare`.",
        ) from error
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


def encode(model: SentenceTransformer, texts: Sequence[str]) -> Vectors:
    """Vectors of shape (len(texts), dimension) of texts that fit one batch: what `SentenceTransformer.encode` does,
    without its 5 ms of looking through the model's modules."""
    with torch.inference_mode():
        found: Vectors = model(model.preprocess(list(texts)))["sentence_embedding"].float().numpy()
    return found


def special_tokens(model: SentenceTransformer) -> list[str]:
    """What ends a text or the like where it stands in one, longest first."""
    special = sorted(model.tokenizer.get_added_vocab(), key=len, reverse=True)
    return special + [token for token in model.tokenizer.all_special_tokens if token not in special]


def keep(model: SentenceTransformer, folder: Path) -> None:
    """Leave in `folder`, which then appears as a whole, what `Compiled` takes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        place = Path(scratch) / "made"
        place.mkdir()
        openvino.save_model(_traced(model), place / GRAPH, compress_to_fp16=_halves(model))
        model.tokenizer.backend_tokenizer.save(str(place / TOKENIZER))
        card = {
            "dimension": int(model.get_embedding_dimension() or 0),
            "window": model.max_seq_length,
            "padding": int(model.tokenizer.pad_token_id or 0),
            "special": special_tokens(model),
        }
        (place / CARD).write_text(json.dumps(card), encoding="utf-8")
        if not folder.exists():  # another process may have been at it
            place.rename(folder)


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


def _traced(model: SentenceTransformer) -> openvino.Model:
    example = torch.ones(2, 16, dtype=torch.long)
    told = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # the tracer looks at every attribute, a training loss among them
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about branches that every length takes alike
            inputs = {"input_ids": example, "attention_mask": example}
            return openvino.convert_model(_Whole(model), example_input=inputs)
    finally:
        transformers_logging.set_verbosity(told)


def _halves(model: SentenceTransformer) -> bool:
    parts = (part for weight in model.parameters() for part in weight.flatten().split(_AT_ONCE))
    return all(torch.equal(part, part.half().float()) for part in parts)


if __name__ == "__main__":
    keep(load(Path(sys.argv[1])), Path(sys.argv[2]))
