"""Instrument 8: closeness in words to the user's hidden review, beside texts that know nothing of her.

Such figures reward length and style, and say little alone: a text is only as good as its distance to the controls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from random import Random

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

from rag_rationale.evaluation.averages import average
from rag_rationale.evaluation.finding import Finding
from rag_rationale.evaluation.judging import tokens, without_markers
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.types import Language

CONSTANT: dict[Language, str] = {
    "en": "Reviewers say that it is good and worth its price.",
    "zh": "有人说这里很不错，也很值得。",
}


def measure_references(material: Material) -> Finding:
    """ROUGE and BLEU of every text that was written, and of each control in its place."""
    written = {s.id: r.rationale for s, r in zip(material.subjects, material.replies, strict=True) if r.sentences}
    asked = [s for s in material.subjects if s.id in written and s.text.strip()]
    controls = {
        "shuffled": _shuffled(asked, written, material.seed),
        "constant": {s.id: CONSTANT[s.language] for s in asked},
        "description": {s.id: _description(s, material) for s in asked},
    }
    values = scored(written, asked)
    measures = [average(name, of, material) for name, of in values.items()]
    for control, texts in controls.items():
        measures += [
            average(f"{name}.{control}", of, material, standing="control") for name, of in scored(texts, asked).items()
        ]
    return Finding("references", tuple(measures), per_case=values)


def scored(texts: Mapping[str, str], subjects: list[Subject]) -> dict[str, dict[str, float]]:
    """By measure and case id: the text of each subject against her hidden review. Cases without a text are left out."""
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for s in subjects:
        if s.id not in texts:
            continue
        prediction = without_markers(texts[s.id])
        for name, value in rouge(prediction=prediction, reference=s.text).items():
            values[f"references.{name}"][s.id] = value
        values["references.bleu"][s.id] = bleu(prediction=prediction, reference=s.text, language=s.language)
    return dict(values)


def rouge(*, prediction: str, reference: str) -> dict[str, float]:
    """ROUGE-1 and ROUGE-L, F1, 0 to 1 (Lin 2004), over words and Han characters in lower case."""
    made = _rouge().score(target=reference, prediction=prediction)
    return {"rouge_1": float(made["rouge1"].fmeasure), "rouge_l": float(made["rougeL"].fmeasure)}


def bleu(*, prediction: str, reference: str, language: Language) -> float:
    """Sentence BLEU, 0 to 1 (Papineni et al. 2002), in lower case, orders that a text is too short for left out."""
    return float(_bleu(language).sentence_score(prediction, [reference]).score) / 100


class _Words:
    """Our words, as rouge-score asks for them; its own tokeniser drops all Han characters."""

    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


@cache
def _rouge() -> RougeScorer:
    return RougeScorer(["rouge1", "rougeL"], tokenizer=_Words())


@cache
def _bleu(language: Language) -> BLEU:
    return BLEU(lowercase=True, effective_order=True, tokenize="zh" if language == "zh" else "13a")


def _shuffled(subjects: list[Subject], written: Mapping[str, str], seed: int) -> dict[str, str]:
    """Each subject gets the text of another one of her language; one who is alone in it gets none."""
    given: dict[str, str] = {}
    for language in sorted({s.language for s in subjects}):
        ids = sorted(s.id for s in subjects if s.language == language)
        Random(seed).shuffle(ids)
        if len(ids) > 1:
            given |= {one: written[other] for one, other in zip(ids, ids[1:] + ids[:1], strict=True)}
    return given


def _description(subject: Subject, material: Material) -> str:
    item = material.snapshot.item(subject.item)
    return "" if item is None else item.description or item.title
