"""The dear tiers: how close a clause lies to its source's sentences, and how much likelier the source makes it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from rag_rationale.grounding.clauses import Clause
from rag_rationale.grounding.holding import best_sentences
from rag_rationale.types import Embedder, Engine, Language, ScoreRequest

MEANINGS = ("close",)
LIKELIHOODS = ("gain", "given", "fluent")
_SENTENCES = 2  # sentences of the sources that are read before a clause at most
_COMPARED = 4  # that a clause is compared with: those that share no word with it may still say the same
_LEAD: dict[Language, str] = {"en": "In other words,", "zh": "换句话说，"}
_USUAL: dict[Language, tuple[str, ...]] = {
    "en": (
        "The parcel came on a Tuesday and the box was dented.",
        "Her second novel is set on an island in winter.",
        "We changed trains twice and still arrived early.",
        "The sauce needs a little more salt.",
        "Restart the router and wait for the green light.",
        "The curtains are too short for our windows.",
    ),
    "zh": (
        "快递周二到的，盒子压瘪了一角。",
        "她的第二本小说写的是冬天的海岛。",
        "我们换了两趟车，还是提前到了。",
        "酱汁里再多放一点盐就好了。",
        "重启路由器，等绿灯亮起来。",
        "窗帘对我家的窗户来说太短。",
    ),
}
"""Sentences about nothing in particular: how close anything lies to them is what closeness means for an embedder."""


def closeness(clauses: Sequence[Clause], language: Language, embedder: Embedder) -> list[dict[str, float]]:
    """`close` of each clause: its cosine with its nearest source sentence, set so that 0 is what the embedder gives to
    sentences that have nothing to do with each other and 1 what it gives to equal ones. All are embedded at once. Most
    of the texts come again: the caller's embedder should remember them.
    """
    compared = [best_sentences(clause, language, most=_COMPARED) for clause in clauses]
    usual_ones = _USUAL[language]
    texts = [*usual_ones, *(clause.said for clause in clauses), *chain.from_iterable(compared)]
    vectors = embedder.embed(texts, role="passage")
    about_nothing, told, held = np.split(vectors, [len(usual_ones), len(usual_ones) + len(clauses)])
    found, begin = [], 0
    for said, sentences in zip(told, compared, strict=True):
        usual = float(np.mean(about_nothing @ said))
        own = held[begin : begin + len(sentences)]
        begin += len(sentences)
        nearest = float(np.max(own @ said)) if sentences else usual
        found.append({"close": (nearest - usual) / max(1 - usual, 1e-6)})
    return found


def gain(clause: Clause, language: Language, engine: Engine) -> dict[str, float]:
    """`gain`: mean log P(clause | source) - log P(clause) per token, in nats; `given` and `fluent` are its terms."""
    lead, gap = _LEAD[language], " " if language == "en" else ""
    context = gap.join(best_sentences(clause, language, most=_SENTENCES))
    candidate = (f"{gap}{clause.said}",)
    given = engine.score(ScoreRequest(f"{context}\n{lead}", candidate))[0].mean
    fluent = engine.score(ScoreRequest(lead, candidate, shared=len(lead)))[0].mean
    return {"gain": given - fluent, "given": given, "fluent": fluent}
