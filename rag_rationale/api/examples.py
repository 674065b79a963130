"""Replies shown in the OpenAPI document. A test holds them to the contract."""

from __future__ import annotations

import json
from typing import Any

RATIONALE: dict[str, Any] = {
    "id": "rat_5f0c2e9d7b1a4c3e8d6f",
    "status": "grounded",
    "language": "en",
    "personal": True,
    "degraded": False,
    "rationale": "You bought Hiking boots [1], and the description of this one mentions a rain cover [2].",
    "sentences": [
        {
            "text": "You bought Hiking boots [1], and the description of this one mentions a rain cover [2].",
            "start": 0,
            "end": 87,
            "kind": "match",
            "mode": "slots",
            "verdict": "supported",
            "tier": "lexical",
            "score": 1.0,
            "support": None,
            "citations": [
                {
                    "label": 1,
                    "evidence_id": "inline:1c0f6f0d2a9be4471d0b",
                    "cited_text": "Hiking boots",
                    "start_char_index": 0,
                    "end_char_index": 12,
                },
                {
                    "label": 2,
                    "evidence_id": "shop:7d3b1f9a60c2e85d4417",
                    "cited_text": "a rain cover",
                    "start_char_index": 14,
                    "end_char_index": 26,
                },
            ],
        }
    ],
    "evidence": [
        {
            "label": 1,
            "id": "inline:1c0f6f0d2a9be4471d0b",
            "side": "history",
            "item_id": None,
            "source_id": "inline:history.0",
            "field": "title",
            "start": 0,
            "end": 12,
            "text": "Hiking boots",
            "lang": "en",
            "event": "purchase",
            "rating": None,
            "timestamp": None,
            "score": 0.71,
        },
        {
            "label": 2,
            "id": "shop:7d3b1f9a60c2e85d4417",
            "side": "item",
            "item_id": "trailpack",
            "source_id": "trailpack",
            "field": "description",
            "start": 0,
            "end": 38,
            "text": "It comes with a rain cover and a stay.",
            "lang": "en",
            "event": None,
            "rating": None,
            "timestamp": None,
            "score": 0.42,
        },
    ],
    "reason": None,
    "provenance": {
        "index": "shop@20260301T020000Z",
        "template": "default@3f2a91c04d7e",
        "model": "gemma-3-270m-en-zh",
        "embedder": "multilingual-e5-small",
        "verifier": "lexical-1",
        "seed": 0,
    },
    "timings_ms": {"retrieve": 3.1, "write": 640.0, "verify": 2.2, "total": 645.9},
}

SOURCE: dict[str, Any] = {
    "id": "shop:7d3b1f9a60c2e85d4417",
    "item_id": "trailpack",
    "source_id": "trailpack",
    "field": "description",
    "start": 0,
    "end": 38,
    "text": "It comes with a rain cover and a stay.",
    "source": "It comes with a rain cover and a stay. The hip belt has two pockets.",
    "lang": "en",
}

_CANDIDATES = {"candidates": [{"id": each["id"], "side": each["side"]} for each in RATIONALE["evidence"]]}
STREAM = "".join(
    f"event: {name}\ndata: {json.dumps(data)}\n\n"
    for name, data in (("evidence", _CANDIDATES), ("sentence", RATIONALE["sentences"][0]), ("done", RATIONALE))
)

_EVENT = {  # of one event: a stream is a list of them
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["evidence", "sentence", "done", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}

RATIONALES: dict[str, Any] = {
    "description": "The rationale; with `stream: true` the events `evidence`, `sentence`, `done` or `error`.",
    "content": {"text/event-stream": {"schema": _EVENT, "example": STREAM}},
}
EVIDENCE: dict[str, Any] = {"description": "The passage, with the source it was cut from."}


def put_into(document: dict[str, Any]) -> None:
    """Show the JSON replies in an OpenAPI document, nulls included, which FastAPI would drop."""
    for path, method, example in (
        ("/v1/rationales", "post", RATIONALE),
        ("/v1/evidence/{evidence_id}", "get", SOURCE),
    ):
        document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["example"] = example
