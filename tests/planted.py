"""A planted catalogue: small, made up, and every answer about it known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

ASPECTS = ("battery", "soup", "garden", "saddle", "violin", "harbour", "pillow", "compass", "lantern", "glacier")
ASPECTS_ZH = ("续航", "浓汤", "花园", "马鞍", "提琴", "海港", "枕头", "罗盘", "灯笼", "冰川")


def items() -> list[dict[str, object]]:
    """Ten items, each about one thing, half of them in Chinese."""
    rows: list[dict[str, object]] = []
    for n, (en, zh) in enumerate(zip(ASPECTS, ASPECTS_ZH, strict=True)):
        if n % 2:
            row = {"item_id": f"i{n}", "title": f"{zh}之选", "description": f"这件商品最出色的地方就是它的{zh}。"}
        else:
            row = {"item_id": f"i{n}", "title": f"The {en} choice", "description": f"What it does best is the {en}."}
        rows.append(row | {"features": [f"{en} {n} kg"], "lang": "zh" if n % 2 else "en", "stock": n})
    return rows


def reviews() -> list[dict[str, object]]:
    """Three reviews an item by users u0 to u9; the third says something of the next item's aspect."""
    rows: list[dict[str, object]] = []
    for n, (en, zh) in enumerate(zip(ASPECTS, ASPECTS_ZH, strict=True)):
        other, other_zh = ASPECTS[(n + 1) % 10], ASPECTS_ZH[(n + 1) % 10]
        texts = (
            [f"我很喜欢这里的{zh}，真的非常好。", f"它的{zh}让我有一点失望。", f"可惜没有人说过{other_zh}的事情。"]
            if n % 2
            else [
                f"I love the {en} more than anything else.",
                f"Sadly the {en} let me down after a week.",
                f"Nobody told me a word about the {other} before.",
            ]
        )
        for k, text in enumerate(texts):
            rows.append(
                {
                    "review_id": f"r{n}-{k}",
                    "user_id": f"u{(n + k) % 10}",
                    "item_id": f"i{n}",
                    "rating": 5 - 2 * k,
                    "timestamp": 1000 * n + k,
                    "title": "",
                    "text": text,
                }
            )
    return rows


def events() -> list[dict[str, object]]:
    """Two events, the later one first."""
    return [
        {"user_id": "u1", "item_id": "i3", "event": "purchase", "timestamp": 90_000, "value": 12.5},
        {"user_id": "u1", "item_id": "i4", "event": "view", "timestamp": 80_000},
    ]


def users() -> list[dict[str, object]]:
    """One user of low trust."""
    return [{"user_id": "u2", "trust": 0.2}]


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """The rows as a JSONL file."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_catalogue(folder: Path) -> dict[str, Path]:
    """All four files, as `build` takes them."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "items": write_jsonl(folder / "items.jsonl", items()),
        "reviews": write_jsonl(folder / "reviews.jsonl", reviews()),
        "events": write_jsonl(folder / "events.jsonl", events()),
        "users": write_jsonl(folder / "users.jsonl", users()),
    }
