#!/usr/bin/env python
"""Write an invented catalogue of any size, in English and Chinese, without holding it in memory.

    scripts/synthetic.py FOLDER --passages 1000000

Its sentences are walks over the bundled catalogue: each word (in Chinese, each character) is one that followed the
last one there. They mean little, but have real words, lengths and languages, and next to none occurs twice. The same
arguments give the same bytes, and a longer catalogue of the same items begins with the shorter one's reviews.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rag_rationale.language.detect import count_han  # noqa: E402
from rag_rationale.language.sentences import split_sentences  # noqa: E402
from rag_rationale.types import LANGUAGES, Language  # noqa: E402

SAMPLE = ROOT / "rag_rationale" / "sample"
PASSAGES_AN_ITEM = 3  # its title, and a description of two sentences
PASSAGES_A_REVIEW = 2  # one to three sentences
REVIEWS_AN_ITEM = 40
REVIEWS_A_USER = 5
_BLOCK = 1000  # rows that share a seed
_LENGTHS: dict[Language, tuple[int, int]] = {"en": (8, 24), "zh": (14, 44)}
_ENDS: dict[Language, str] = {"en": ".", "zh": "。"}


class Walk:
    """Sentences of one language, by walking over the words (in Chinese, characters) of the bundled catalogue."""

    def __init__(self, lang: Language) -> None:
        self._lang, self._glue = lang, "" if lang == "zh" else " "
        self._first: list[str] = []
        self._next: dict[str, list[str]] = {}
        for sentence in _sentences(lang):
            words = list(sentence) if lang == "zh" else sentence.split()
            self._first.append(words[0])
            for word, after in itertools.pairwise(words):
                self._next.setdefault(word, []).append(after)

    def sentence(self, chance: random.Random) -> str:
        least, most = _LENGTHS[self._lang]
        word = chance.choice(self._first)
        words, length = [word], chance.randint(least, most)
        while len(words) < length:
            word = chance.choice(self._next.get(word) or self._first)
            words.append(word)
        return self._glue.join(words).rstrip(".!?,;:。！？，；：、 ") + _ENDS[self._lang]

    def title(self, chance: random.Random, number: int) -> str:
        return self.sentence(chance)[: 14 if self._lang == "zh" else 40].rsplit(" ", 1)[0] + f" {number}"


def _sentences(lang: Language) -> Iterator[str]:
    for line in (SAMPLE / "reviews.jsonl").read_text(encoding="utf-8").splitlines():
        text = json.loads(line).get("text") or ""
        if (count_han(text) > len(text) / 4) == (lang == "zh"):
            for start, end in split_sentences(text, lang):
                yield text[start:end].rstrip(".!?。！？ ") or "-"


def sizes(passages: int) -> tuple[int, int]:
    """(items, reviews) of a catalogue of about this many passages."""
    items = max(1, round(passages / (PASSAGES_AN_ITEM + PASSAGES_A_REVIEW * REVIEWS_AN_ITEM)))
    return items, max(1, round((passages - PASSAGES_AN_ITEM * items) / PASSAGES_A_REVIEW))


def write_catalogue(
    folder: Path, *, items: int, reviews: int, seed: int = 0, chinese: float = 0.3, events: bool = True
) -> dict[str, Path]:
    """Write items.jsonl, reviews.jsonl and (unless `events` is false) events.jsonl into `folder`; their paths by name,
    as `rag_rationale.building.build` takes them.

    `chinese` is the share of items in Chinese, whose reviews are Chinese too. There is one event for ten reviews.
    """
    folder.mkdir(parents=True, exist_ok=True)
    walks = {lang: Walk(lang) for lang in LANGUAGES}
    users = max(1, reviews // REVIEWS_A_USER)

    def language(item: int) -> Language:
        return "zh" if item * chinese % 1 < chinese else "en"  # spread evenly

    def item_row(n: int, chance: random.Random) -> dict[str, object]:
        lang = language(n)
        description = " ".join(walks[lang].sentence(chance) for _ in range(2))
        title = walks[lang].title(chance, n)
        return {"item_id": f"i{n}", "title": title, "description": description, "lang": lang}

    def review_row(n: int, chance: random.Random) -> dict[str, object]:
        item = min(int(items * chance.random() ** 2), items - 1)  # some items are spoken of more than others
        walk = walks[language(item)]
        text = " ".join(walk.sentence(chance) for _ in range(chance.randint(1, 3)))
        user = f"u{int(users * chance.random() ** 1.5)}"
        row = {"review_id": f"r{n}", "user_id": user, "item_id": f"i{item}", "text": text}
        return row | {"rating": chance.choice((1, 2, 3, 4, 4, 5, 5, 5)), "timestamp": 1_600_000_000 + 60 * n}

    def event_row(n: int, chance: random.Random) -> dict[str, object]:
        user, item = f"u{chance.randrange(users)}", f"i{chance.randrange(items)}"
        verb = chance.choice(("view", "view", "view", "cart", "purchase"))
        return {"user_id": user, "item_id": item, "event": verb, "timestamp": 1_600_000_000 + 600 * n}

    rows = {"items": (items, item_row), "reviews": (reviews, review_row)}
    if events:
        rows["events"] = (reviews // 10, event_row)
    paths = {}
    for name, (count, make) in rows.items():
        paths[name] = folder / f"{name}.jsonl"
        with paths[name].open("w", encoding="utf-8") as file:
            for first in range(0, count, _BLOCK):
                chance = random.Random(f"{seed} {name} {first}")
                for n in range(first, min(first + _BLOCK, count)):
                    file.write(json.dumps(make(n, chance), ensure_ascii=False) + "\n")
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passages", type=int, default=10_000, help="about how many passages it is cut into")
    parser.add_argument("--chinese", type=float, default=0.3, help="share of items in Chinese")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    items, reviews = sizes(options.passages)
    write_catalogue(options.folder, items=items, reviews=reviews, seed=options.seed, chinese=options.chinese)
    print(f"{items:,} items and {reviews:,} reviews in {options.folder}")


if __name__ == "__main__":
    main()
