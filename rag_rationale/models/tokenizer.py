"""Describe XLM-R's tokenizer, a Unigram model over normalised text, in the `tokenizers` library's JSON format."""

from __future__ import annotations

import json

from rag_rationale.models.quantised import QuantisedE5

# A special token's name in a user's text is text. The tokenizer's configuration stops the library from reading it as
# the token (`split_special_tokens`); this score, worse than any spelling in pieces, stops the Unigram model likewise.
_NEVER = -1000.0
_MASK = "<mask>"
_SPACE = ord(" ")
# NFKC folds the full-width tilde, the vocabulary knows it: it passes as a noncharacter, which NFKC leaves alone.
_TILDE, _SHIELD = "\uff5e", "\ufdd0"
_METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}


def describe_tokenizer(model: QuantisedE5) -> str:
    """Content of tokenizer.json."""
    special = sorted({model.bos, model.eos, model.pad, model.unk, model.pieces.index(_MASK)})
    scores = model.scores.copy()
    for token in special:
        scores[token] = _NEVER
    bos, eos = model.pieces[model.bos], model.pieces[model.eos]
    description = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(token, model.pieces[token]) for token in special],
        "normalizer": {"type": "Sequence", "normalizers": _normalizers(model.replaced)},
        "pre_tokenizer": _METASPACE,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [_special(bos), _sequence("A"), _special(eos)],
            "pair": [_special(bos), _sequence("A"), _special(eos), _special(eos), _sequence("B"), _special(eos)],
            "special_tokens": {
                piece: {"id": piece, "ids": [token], "tokens": [piece]}
                for piece, token in ((bos, model.bos), (eos, model.eos))
            },
        },
        "decoder": _METASPACE,
        "model": {
            "type": "Unigram",
            "unk_id": model.unk,
            "vocab": [list(pair) for pair in zip(model.pieces, scores, strict=True)],
            "byte_fallback": False,
        },
    }
    return json.dumps(description, ensure_ascii=False, separators=(",", ":"))


def configure_tokenizer(model: QuantisedE5) -> dict[str, object]:
    """Content of tokenizer_config.json."""
    bos, eos = model.pieces[model.bos], model.pieces[model.eos]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": bos,
        "cls_token": bos,
        "eos_token": eos,
        "sep_token": eos,
        "pad_token": model.pieces[model.pad],
        "unk_token": model.pieces[model.unk],
        "mask_token": _MASK,
        "model_max_length": model.positions,
        "split_special_tokens": True,
        "clean_up_tokenization_spaces": False,
    }


def _normalizers(replaced: dict[int, tuple[int, ...]]) -> list[dict[str, object]]:
    """XLM-R's normalisation: its own removals and spaces, then NFKC, then single spaces.

    NFKC does what the map says of one code point, and composes what the map, being of single ones, cannot.
    """
    removed = [0, *(point for point, new in replaced.items() if not new)]
    spaces = [point for point, new in replaced.items() if new == (_SPACE,)]
    return [
        _replace({"Regex": _any_of(removed)}, ""),
        _replace({"Regex": _any_of(spaces)}, " "),
        {"type": "Strip", "strip_left": False, "strip_right": True},
        _replace({"String": _TILDE}, _SHIELD),
        {"type": "NFKC"},
        _replace({"String": _SHIELD}, _TILDE),
        _replace({"Regex": " {2,}"}, " "),
    ]


def _any_of(points: list[int]) -> str:
    return "[" + "".join(f"\\x{{{point:x}}}" for point in sorted(points)) + "]"


def _replace(pattern: dict[str, str], content: str) -> dict[str, object]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def _added(token: int, piece: str) -> dict[str, object]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": token, "content": piece, **flags}


def _special(piece: str) -> dict[str, object]:
    return {"SpecialToken": {"id": piece, "type_id": 0}}


def _sequence(name: str) -> dict[str, object]:
    return {"Sequence": {"id": name, "type_id": 0}}
