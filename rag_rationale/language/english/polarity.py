"""Polarity of English clauses by VADER's lexicon (Hutto and Gilbert 2014) with our additions, and what was not so.

It reads words; it knows no grammar, no ratings and no neighbours of the clause.
"""

from __future__ import annotations

import re

from rag_rationale.language.lexicon import lexicon, valences
from rag_rationale.types import Polarity

_IRREALIS = re.compile(
    r"\b(?:could|should|would|might|may|if|unless|wish|hope|hoped|hoping|expect|expected|expecting|supposed|used to|"
    r"no longer|earlier|previously|claims?|claimed|so-called|was told|were told|sadly not|instead of|other than|"
    r"sometimes|maybe|perhaps|probably|seldom|rarely|"
    r"ha(?:s|ve) to be|except|apart from|nobody|no one|not that|doubt\w*|den(?:y|ies|ied)|can improve|"
    r"needs? (?:to (?:be|have|improve|get|work)|(?:some |more |a lot of |much )?(?:better|improv\w+|more))|"
    r"can (?:\w+ly )?(?:be|get|do|taste) "
    r"(?:a (?:bit|little|lot) |\w+ly |much |made |even |way )*(?:better|improved|more))\b"
    r"|n['’]t be\b|['’]d have\b"
    r"|(?:n['’]?t|\bnot|\bnever) (?:\w+ly )?(?:think|believe|say|feel|find|call|agree|guess|suppose)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_TOO = re.compile(
    r"(?<!not )(?<!n't )(?<!n’t )(?<!never )"
    r"\btoo (?!(?:along|coupled|with|and|but|as|for|in|on|at|to|of|from|the|an?)\b)([a-z]+)",
    re.IGNORECASE,
)
_IDIOM = re.compile(r"\b(?:hard|tough|difficult) to (?:beat|fault)\b", re.IGNORECASE)
_CALLS_FOR = re.compile(  # "the last part needs care" praises nothing
    r"\b(?:needs?|needed|requires?|required|demands?|takes?|calls? for) "
    r"(?:(?:a (?:lot|bit) of|some|more|much|great|extra) )?"
    r"(?:care|caution|attention|patience|help|confidence|support|strength|trust|luck|courage)\b",
    re.IGNORECASE,
)
_PRAISE = 1.7  # "too good" praises, "too sweet" does not
_POSITIVE, _NEGATIVE = 0.3, -0.2  # VADER's compound score; below 0.3 praise is too faint to be called praise


class Valence:
    """Polarity of words."""

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._vader = SentimentIntensityAnalyzer()
        self._vader.lexicon.update(valences("en"))
        self._negations = lexicon("en")["negations"]
        self.known: frozenset[str] = frozenset(self._vader.lexicon)

    def polarity(self, text: str) -> Polarity:
        """Polarity of a clause by its own words; "neutral" where they do not tell."""
        if _IDIOM.search(text):
            return "positive"
        score = self._vader.polarity_scores(_CALLS_FOR.sub(" ", text))["compound"]
        if (excess := _TOO.search(text)) and self._vader.lexicon.get(excess[1].lower(), 0) < _PRAISE:
            return "negative"
        return "positive" if score >= _POSITIVE else "negative" if score <= _NEGATIVE else "neutral"

    def negations(self, text: str) -> int:
        """How many negations the text holds."""
        words = _WORD.findall(text.lower().replace("’", "'"))
        return sum(w in self._negations or w.endswith("n't") for w in words)


def irrealis(text: str) -> bool:
    """Whether the text tells of what was not so: "could have been crisp", "used to be good", "if it were warm"."""
    return _IRREALIS.search(text) is not None
