"""Instrument 9: what the baseline is shown, how its text is read, and what it is measured as."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluated import scripted, shop_material

from rag_rationale.evaluation.counterpart import as_reply, beside, measure_counterpart, sentences_of, write_attempts
from rag_rationale.evaluation.judging import WordJudge
from rag_rationale.evaluation.memory import Memory
from rag_rationale.evaluation.personal import measure_personal
from rag_rationale.evaluation.variety import measure_variety
from rag_rationale.types import GenerateRequest, Language


@pytest.mark.parametrize(
    ("text", "language", "sentences"),
    [
        (
            " It is light [1]. The belt is soft. [2][3] Cut off he",
            "en",
            ["It is light [1].", "The belt is soft[2][3]."],
        ),
        ("One. Two. Three. Four.", "en", ["One.", "Two.", "Three."]),
        ("Cut off at onc", "en", ["Cut off at onc"]),
        ("汤很鲜[1]。服务热情。[2]", "zh", ["汤很鲜[1]。", "服务热情[2]。"]),
        ("  ", "en", []),
    ],
)
def test_a_free_text_is_read_as_sentences_with_their_markers(
    text: str, language: Language, sentences: list[str]
) -> None:
    assert list(sentences_of(text, language)) == sentences


def test_the_baseline_is_shown_the_item_and_the_user_and_never_the_hidden_review(tmp_path: Path) -> None:
    material = shop_material(tmp_path)
    engine = scripted(material)
    attempts = write_attempts(material, Memory(tmp_path / "attempts.jsonl"))
    prompts = [r.prefix for r in engine.history if isinstance(r, GenerateRequest)]
    assert len(prompts) == len(material.subjects) == 3
    for attempt, prompt in zip(attempts, prompts, strict=True):
        asked = prompt.rsplit("\n\n", 1)[-1]
        assert attempt.subject.text not in prompt
        assert {e.side for e in attempt.evidence} == {"item", "review", "history"}
        for e in attempt.evidence:
            assert f"[{e.label}] " in asked
            assert e.text in asked
            assert e.source_id != attempt.subject.review
    again = write_attempts(material, Memory(tmp_path / "attempts.jsonl"))
    assert len([r for r in engine.history if isinstance(r, GenerateRequest)]) == 3
    assert again == attempts


def test_its_figures_bear_the_names_of_the_services(tmp_path: Path) -> None:
    material = shop_material(tmp_path)
    scripted(material).enqueue("The zip is made of gold [99].", "", "The zip is made of gold [99].")
    attempts = write_attempts(material, Memory(tmp_path / "attempts.jsonl"))
    found = {m.name: m for m in measure_counterpart(attempts, material, WordJudge()).measures}
    assert found["citations.unknown.counterpart"].value == 1
    assert (found["citations.recall.words.counterpart"].value, found["citations.recall.words.counterpart"].n) == (0, 2)
    assert found["citations.abstention.counterpart"].value == pytest.approx(1 / 3)
    assert {m.standing for name, m in found.items() if name.endswith(".counterpart")} == {"counterpart"}
    assert found["latency.median_ms"].standing == "result"


def test_it_is_measured_by_the_services_own_instruments(tmp_path: Path) -> None:
    material = shop_material(tmp_path)
    engine = scripted(material)
    memory = Memory(tmp_path / "attempts.jsonl")
    engine.enqueue("One.", "The pack is light [1].", "The pack is light [1].")
    attempts = write_attempts(material, memory)
    replies = [as_reply(a) for a in attempts]
    assert [[c.cited_text for s in r.sentences for c in s.citations] for r in replies[1:]] == [
        ["The pack is light."]
    ] * 2
    asked = len(engine.history)
    found = {m.name: m for m in beside(material, attempts, memory, [measure_personal, measure_variety])}
    assert found["variety.unique.counterpart"].value == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert found["personal.pairs.all.counterpart"].value == 0.5
    assert {m.standing for m in found.values()} == {"counterpart"}
    hidden = [r.prefix.rsplit("\n\n", 1)[-1] for r in list(engine.history)[asked:] if isinstance(r, GenerateRequest)]
    assert len(hidden) == found["personal.pairs.all.counterpart"].n
    assert not any(
        s.text in prompt for prompt in hidden for s in material.subjects if s.item == attempts[0].subject.item
    )
