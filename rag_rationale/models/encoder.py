"""Write multilingual-e5-small as an ordinary sentence-transformers folder, out of its 4-bit file.

Every byte is determined by the source, so that the registry can pin each file written: JSON and safetensors are written
here and not by a library whose next version may order them differently.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from rag_rationale.models.quantised import QuantisedE5, Tensor, read_quantised
from rag_rationale.models.tokenizer import configure_tokenizer, describe_tokenizer
from rag_rationale.types import Progress, TextRole

_ROWS = 16384

# Names in the source -> names of BertModel.
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln": "embeddings.LayerNorm",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_SUFFIX = {"w": "weight", "b": "bias"}


def write_encoder(source: Path, folder: Path, *, prefixes: Mapping[TextRole, str], progress: Progress) -> None:
    """Write the folder: weights in float16, to be computed with in float32, mean pooling and normalisation."""
    model = read_quantised(source)
    _write_weights(model, folder / "model.safetensors", progress)
    (folder / "tokenizer.json").write_text(describe_tokenizer(model), encoding="utf-8")
    for name, content in _configuration(model, prefixes).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _configuration(model: QuantisedE5, prefixes: Mapping[TextRole, str]) -> dict[str, object]:
    modules = (("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize"))
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "dtype": "float32",
            "vocab_size": model.vocabulary,
            "hidden_size": model.hidden,
            "num_hidden_layers": model.layers,
            "num_attention_heads": model.heads,
            "intermediate_size": model.feed_forward,
            "hidden_act": "gelu",
            "max_position_embeddings": model.positions,
            "type_vocab_size": model.token_types,
            "layer_norm_eps": model.epsilon,
            "pad_token_id": model.pad,
        },
        "tokenizer_config.json": configure_tokenizer(model),
        "modules.json": [
            {"idx": int(i), "name": i, "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, path, kind in modules
        ],
        "sentence_bert_config.json": {"max_seq_length": model.positions, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": dict(prefixes),
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        "1_Pooling/config.json": {"word_embedding_dimension": model.hidden, "pooling_mode_mean_tokens": True},
        "2_Normalize/config.json": {},
    }


def _bert_name(name: str) -> str:
    """`l3.ao.w` -> `encoder.layer.3.attention.output.dense.weight`."""
    if name in _EMBEDDINGS:
        return _EMBEDDINGS[name]
    stem, _, suffix = name.rpartition(".")
    if stem in _EMBEDDINGS:
        return f"{_EMBEDDINGS[stem]}.{_SUFFIX[suffix]}"
    layer, part = stem.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER[part]}.{_SUFFIX[suffix]}"


def _shape(tensor: Tensor, name: str, model: QuantisedE5) -> tuple[int, ...]:
    if name.endswith((".b", "ln.w")):
        return (tensor.elements,)
    width = model.feed_forward if name.endswith("fo.w") else model.hidden
    return (tensor.elements // width, width)


def _write_weights(model: QuantisedE5, path: Path, progress: Progress) -> None:
    """Write a safetensors file: length of the header, u64; the header, JSON; the tensors, end to end."""
    shapes = {name: _shape(tensor, name, model) for name, tensor in model.tensors.items()}
    # mean pooling never asks BERT's pooler, which the source leaves out; zeros keep its loader from warning.
    pooler = {"pooler.dense.weight": (model.hidden, model.hidden), "pooler.dense.bias": (model.hidden,)}
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in [*((_bert_name(name), shape) for name, shape in shapes.items()), *pooler.items()]:
        start, end = end, end + 2 * int(np.prod(shape))
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    done = 0
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, tensor in model.tensors.items():
            for part in _float16(tensor, shapes[name]):
                done += file.write(part)
                progress("de-quantising", done, end)
        file.write(bytes(end - done))


def _float16(tensor: Tensor, shape: tuple[int, ...]) -> Iterator[bytes]:
    width = shape[-1]
    for start in range(0, tensor.elements // width, _ROWS):
        yield tensor.rows(width, start=start, stop=start + _ROWS).astype("<f2").tobytes()
