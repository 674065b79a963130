"""Near-copies among an item's passages: few or many, what is kept is what comparing every pair keeps."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest

from rag_rationale.embedding import HashedEmbedder
from rag_rationale.retrieval import copies
from rag_rationale.retrieval.rarity import units
from rag_rationale.types import Passage, Vectors

WORDS = [f"{a}{b}" for a in ("so", "tu", "garden", "lamp", "7") for b in ("", "n", "light", "2", "ry")]
HAN = "这家店的汤很好喝我们下次还要再来服务员也热情环境安静适合朋友聚会"
ODD = [
    "",
    "!?",
    "Good food.",
    "好",
    "A\nb c, d-e F g_h",
    "İstanbul Σας K2 ok fine yes",
    "\ud800 one two three four five six",
]


def _catalogue(count: int, *, seed: int) -> list[Passage]:
    """Passages of which a third are copies of an earlier one, word for word or with a few words changed."""
    chance, texts = random.Random(seed), list(ODD)
    while len(texts) < count:
        if chance.random() < 0.35:
            words = chance.choice(texts).split(" ")
            for _ in range(chance.randint(0, 3)):
                words[chance.randrange(len(words))] = chance.choice(WORDS)
            texts.append(" ".join(words))
        elif chance.random() < 0.5:
            texts.append(" ".join(chance.choices(WORDS, k=chance.randint(1, 20))).capitalize() + ".")
        else:
            texts.append("".join(chance.choices(HAN + "，。", k=chance.randint(2, 20))))
    return [_passage(at, text, chance.choice((None, *range(count)))) for at, text in enumerate(texts)]


def _passage(row: int, text: str, timestamp: int | None) -> Passage:
    return Passage(f"p{row}", "review", f"r{row}", "text", "i", 0, len(text), text, "en", timestamp=timestamp, row=row)


def _vectors(passages: Sequence[Passage]) -> Vectors:
    return HashedEmbedder(64).embed([p.text for p in passages], role="passage")


def _by_definition(passages: Sequence[Passage], vectors: Vectors) -> list[int]:
    kept: list[int] = []
    words = [set(units(p.text)) for p in passages]
    for at in sorted(range(len(passages)), key=lambda n: (passages[n].timestamp or 0, n)):
        near = (other for other in kept if vectors[at] @ vectors[other] >= 0.85)
        if len(words[at]) < 6 or all(4 * len(words[at] & words[o]) < 3 * len(words[at] | words[o]) for o in near):
            kept.append(at)
    return sorted(kept)


@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_kept_is_what_comparing_every_pair_keeps(few: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_FEW", few)
    monkeypatch.setattr(copies, "_BLOCK", 37)
    passages = _catalogue(300, seed=seed)
    vectors = _vectors(passages)
    expected = _by_definition(passages, vectors)
    assert 150 < len(expected) < 280
    assert copies.without_copies(passages, vectors) == expected


@pytest.mark.parametrize("count", [0, 1, 2])
def test_none_and_one_and_two(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_FEW", -1)
    text = "The kitchen grilled our prawns over beech wood."
    passages = [_passage(row, text, 9 - row) for row in range(count)]
    assert copies.without_copies(passages, _vectors(passages)) == ([] if not count else [count - 1])


def test_words_are_told_apart_as_one_text_at_a_time_tells_them() -> None:
    passages = _catalogue(400, seed=1)
    of, words = copies._words([p.text for p in passages])
    numbers: dict[str, int] = {}
    for at, passage in enumerate(passages):
        found = set(words[of == at].tolist())
        assert len(found) == len(set(units(passage.text)))
        for unit in units(passage.text):  # the same word has the same number in every text
            if _is_run(unit):
                numbers.setdefault(unit, copies._words([unit])[1][0])
                assert numbers[unit] in found
    assert len(set(numbers.values())) == len(numbers)


def _is_run(unit: str) -> bool:
    return unit.isascii()


def test_one_text_posted_ten_thousand_times_takes_neither_time_nor_memory_for_every_pair() -> None:
    text = "Great product, would buy again from this seller any day, no. {}"
    varied = [_passage(row, text.format(row), 0) for row in range(10_000)]
    others = [_passage(10_000 + p.row, p.text, p.timestamp) for p in _catalogue(4000, seed=2)]
    passages = [*varied, *others]
    vectors = np.concatenate([np.repeat(_vectors(varied[:1]), len(varied), axis=0), _vectors(others)])
    tracemalloc.start()
    try:
        kept = copies.without_copies(passages, vectors)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept[0] == 0
    assert kept[1] >= len(varied)
    assert 2000 < len(kept) < 4000
    assert peak < 150e6  # the cosines of all pairs are 784 MB
