"""Puts sample fillers into frames, so that a person, or the form gate, can see how they read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from itertools import count

import yaml

from rag_rationale.prompting import Frame, Slot, Template
from rag_rationale.types import Cite, Draft, Evidence, Filler, Language, Passage, Shape

SAMPLES = 20


@cache
def samples(language: Language) -> Mapping[Shape, tuple[str, ...]]:
    """Twenty fillers for each shape but "verb", which each template words itself; none for one the language lacks."""
    file = resources.files("rag_rationale.workshop").joinpath("data", f"fillers.{language}.yaml")
    return {shape: tuple(words) for shape, words in yaml.safe_load(file.read_text("utf-8")).items()}


def drafts(frame: Frame, template: Template) -> list[Draft]:
    """The frame with each of the samples in its slots, and with the template's own examples.

    Slots of one shape get different words. Empty where the frame has a shape that nothing can fill.
    """
    choices = {slot: _choices(slot, template) for role in frame.roles for slot in frame.slots(role)}
    if not all(choices.values()):
        return []
    rounds = max(len(words) for words in choices.values())
    return [_draft(frame, template, choices, number) for number in range(rounds)]


def _choices(slot: Slot, template: Template) -> tuple[str, ...]:
    if slot.shape == "verb":
        return tuple(dict.fromkeys(template.meta.verbs.values()))
    assert slot.shape != "cite"
    spec = template.meta.slots.get(slot.shape)
    longest = template.meta.longest(slot.shape)
    own = tuple(words for words in (spec.examples if spec else ()) if len(words) <= longest)
    return (*own, *(words for words in samples(template.language).get(slot.shape, ()) if len(words) <= longest))


def _draft(frame: Frame, template: Template, choices: Mapping[Slot, tuple[str, ...]], number: int) -> Draft:
    shift = count()
    parts: list[str | Filler | Cite] = []
    for part in frame.parts:
        if isinstance(part, str):
            parts.append(part)
        elif part.shape == "cite":
            parts.append(Cite((), (), ()))
        else:
            words = choices[part][(number + 7 * next(shift)) % len(choices[part])]
            parts.append(Filler(f"{part.role}.{part.shape}", words, part.shape, _evidence(words), 0, len(words)))
    return Draft(frame.kind, frame.mode, frame.id, template.language, tuple(parts))


def _evidence(words: str) -> Evidence:
    """A passage that holds just these words."""
    passage = Passage(
        id="sample",
        kind="review",
        source_id="sample",
        item_id="sample",
        field="text",
        start=0,
        end=len(words),
        text=words,
        lang="en",
    )
    return Evidence("sample", passage, "review", "")
