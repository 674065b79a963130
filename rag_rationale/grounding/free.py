"""The gate for sentences that a model worded itself: the judge of any sentence, and the form gate.

It trusts nothing of how the sentence was made; what a frame would have promised is not promised here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rag_rationale.grounding.form import form_faults
from rag_rationale.grounding.judge import Judge
from rag_rationale.language.titles import spoken_titles
from rag_rationale.types import Analyser, Cite, Claim, Draft, Evidence, Source, Verdict

_SPEAKS = {"en": re.compile(r"\b(?:i|me|my|mine|we|us|our|ours)\b", re.IGNORECASE), "zh": re.compile("我|咱|俺|本人")}
_LEAST_SHARED = 2  # words that a sentence must share with each passage, or it says nothing of it
_INNER = re.compile(r"[.!?]\s+\S|[。！？].")


class FreeGate:
    """Verifies free drafts. `title` is that of the item, `longest` the template's limit for a sentence in characters;
    `shows` tells whether a text may be shown at all (forbidden words, private names)."""

    def __init__(
        self, judge: Judge, analyser: Analyser, *, title: str, longest: int, shows: Callable[[str], bool]
    ) -> None:
        self._judge, self._analyser, self._title = judge, analyser, title
        self._longest, self._shows = longest, shows

    def verify(self, draft: Draft) -> Verdict:
        """The judge's verdict, unless the form or what may not be shown already speaks against the draft."""
        words = draft.words
        faults = form_faults(draft, self._analyser, longest=self._longest) + _free_form_faults(draft)
        if _SPEAKS[draft.language].search(words):
            faults.append("speaks as someone it is not")
        untitled = words
        known = {self._title, *(e.title for cite in draft.cites for e in cite.evidence)}
        for title in sorted({said for whole in known for said in spoken_titles(whole)}, key=len, reverse=True):
            untitled = untitled.replace(title, " ")
        if not self._shows(untitled):
            faults.append("holds words that may not be shown")
        leans = "positive" if draft.kind == "merit" else "negative" if draft.kind == "caveat" else None
        if leans is not None and self._analyser.polarity(words) not in (leans, "neutral"):
            faults.append(f"a {draft.kind} that reads otherwise")
        if faults:
            return Verdict("unsupported", "lexical", 0.0, tuple(faults))
        return self._judge.judge(_claim(draft, self._title))


def _free_form_faults(draft: Draft) -> list[str]:
    """What only a sentence that no frame holds can get wrong."""
    words = draft.words
    faults = []
    if _INNER.search(words):
        faults.append("more than one sentence")
    if not isinstance(draft.parts[0], str) or not re.match(r"[\w“《]", draft.parts[0]) or words[0].islower():
        faults.append("does not begin like a sentence")
    if words.count('"') % 2 or "[" in words or "{" in words:
        faults.append("a mark too many")
    runs = re.findall(r"(?=\b(\w+\W+\w+\W+\w+)\b)", words.lower())
    if len(set(runs)) < len(runs):
        faults.append("says the same words twice")
    for cite in draft.cites:
        shared = _content(words) & {w for e in cite.evidence for w in _content(e.passage.text)}
        if len(shared) < _LEAST_SHARED:
            faults.append("tells nothing of a passage that it cites")
    return faults


def _content(text: str) -> set[str]:
    """Longer words, and pairs of Han characters."""
    runs = re.findall(r"[a-z]{4,}|[\u3400-\u9fff]+", text.lower())
    han = [run for run in runs if not run.isascii()]
    return {*runs} - {*han} | {run[i : i + 2] for run in han for i in range(len(run) - 1)}


def _claim(draft: Draft, title: str) -> Claim:
    labels: dict[str, int] = {}
    sources: list[Source] = []
    text = ""
    for part in draft.parts:
        if not isinstance(part, Cite):
            text += part if isinstance(part, str) else part.text
            continue
        for evidence in part.evidence:
            if evidence.id not in labels:
                labels[evidence.id] = len(labels) + 1
                sources.append(_source(evidence, labels[evidence.id]))
            text += f"[{labels[evidence.id]}]"
    return Claim(language=draft.language, item=title, sentence=text, evidence=tuple(sources))


def _source(evidence: Evidence, label: int) -> Source:
    author = {"item": None, "history": "me"}.get(evidence.side, evidence.passage.author)
    return Source(
        label=label,
        side=evidence.side,
        title=evidence.title,
        text=evidence.passage.text,
        event=evidence.event,
        rating=evidence.rating,
        author=author,
    )
