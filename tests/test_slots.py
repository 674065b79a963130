"""What stands in slots, over 200 random passages of real data in each language: the passage's words and no others."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import analysers

from rag_rationale.config import load_settings
from rag_rationale.corpus import passage_bounds, quarantine_reason
from rag_rationale.prompting import TemplateStore
from rag_rationale.types import Language, Span

DATA = Path(__file__).parents[2] / "shared" / "data"
FOLDERS: dict[Language, str] = {"en": "zomato_en", "zh": "douban_zh"}
ADDED = {"the", "a", "an"}
TOKEN = re.compile(r"[a-z0-9]+(?:['’][a-z]+)*|[\u3400-\u9fff]")


def passages(language: Language, count: int) -> list[str]:
    """Random passages of the data's reviews."""
    file = DATA / FOLDERS[language] / "reviews.jsonl"
    if not file.exists():
        pytest.skip(f"needs the development data: {file.name} of {FOLDERS[language]} is not beside this checkout")
    texts = [json.loads(line)["text"] or "" for line in file.read_text("utf-8").splitlines()]
    random.Random(7).shuffle(texts)
    cut = (text[start:end] for text in texts for start, end in passage_bounds(text, language))
    return [p for p, _ in zip((p for p in cut if quarantine_reason(p) is None), range(count), strict=False)]


def spans(language: Language, count: int = 200) -> Iterator[tuple[str, Span]]:
    analyser = analysers()[language]
    for passage in passages(language, count):
        for span in analyser.spans(passage):
            yield passage, span


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_slot_holds_a_word_that_its_passage_lacks(language: Language) -> None:
    seen = 0
    for passage, span in spans(language):
        seen += 1
        rest = iter(TOKEN.findall(passage[span.start : span.end].lower()))
        missing = [t for t in TOKEN.findall(span.text.lower()) if t not in ADDED and not any(t == r for r in rest)]
        assert missing == [], f"{span.text!r} of {passage!r}"
    assert seen > 200


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_slot_holds_a_phrase_of_the_prompts_own_examples(language: Language) -> None:
    template = TemplateStore(load_settings().prompts).get("default", language=language)
    prompt = template.prompt(title="", own=None)
    reasons = [line for line in prompt.lower().splitlines() if line.startswith(("reason: ", "理由："))]
    assert len(reasons) >= 3
    size = 4 if language == "en" else 6
    examples = {
        tuple(words[i : i + size]) for line in reasons for words in [TOKEN.findall(line)] for i in range(len(words))
    }
    for passage, span in spans(language):
        words = TOKEN.findall(span.text.lower())
        leaked = {tuple(words[i : i + size]) for i in range(len(words) - size + 1)} & examples
        assert not leaked, f"{span.text!r} of {passage!r}"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_clauses_and_noun_phrases_do_not_speak_as_i_or_we(language: Language) -> None:
    speaks = re.compile(r"\b(i|me|my|we|us|our|you|your)\b|我|咱|俺|你|您", re.IGNORECASE)
    checked = [s for _, s in spans(language) if s.shape in {"clause", "np", "identity"}]
    assert len(checked) > 100
    assert [s.text for s in checked if speaks.search(s.text)] == []
