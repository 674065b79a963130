"""English: noun phrases, third-person clauses, remarks and quotable sentences, by spaCy's dependency parse.

The one door to spaCy. It knows a text's grammar and the polarity of its words, nothing of users, items or evidence.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from rag_rationale.errors import ModelMissingError
from rag_rationale.language.english.flaws import Flaws
from rag_rationale.language.english.polarity import Valence, irrealis
from rag_rationale.language.english.spans import SpanFinder
from rag_rationale.language.lexicon import lexicon, spellings
from rag_rationale.types import Language, Noun, Polarity, Span

_TERM = re.compile(r"[a-z]{3,}")
_KEPT = 4096  # texts whose parses and spans are remembered


class English:
    """Analyser for English over the spaCy pipeline in `folder`. Safe to share between threads."""

    language: Language = "en"

    def __init__(self, folder: Path) -> None:
        if not (folder / "config.cfg").is_file():
            raise ModelMissingError(
                f"No spaCy pipeline in {folder}.", remedy="Run `rag-rationale models prepare en-core-web-sm`."
            )
        import spacy

        self._nlp = spacy.load(folder)
        self._words = Valence()
        self._finder = SpanFinder(self._words, Flaws(self._dictionary(), lexicon("en")))
        self._lock = threading.RLock()
        self._docs: OrderedDict[str, Any] = OrderedDict()  # parsed, least recently asked for first
        self._terms = lru_cache(maxsize=16384)(lambda text: tuple(self._all_terms(text)))
        self._spans = lru_cache(maxsize=_KEPT)(lambda text: tuple(self._finder.find(self._parse(text))))

    def prepare(self, texts: Sequence[str]) -> None:
        """Parse texts that will be read soon, at once: a parse is the same to the bit, and takes half the time."""
        with self._lock:
            fresh = [text for text in dict.fromkeys(texts) if text not in self._docs]
            self._docs.update(zip(fresh, self._nlp.pipe(fresh), strict=True))
            for text in texts:
                self._docs.move_to_end(text)
            while len(self._docs) > _KEPT:
                self._docs.popitem(last=False)

    def spans(self, text: str) -> list[Span]:
        """Noun phrases, clauses, remarks and quotable sentences, in text order."""
        return list(self._spans(text))

    def terms(self, text: str) -> tuple[Noun, ...]:
        """Words of three letters or more and pairs of them that stand together, plurals as singulars."""
        return self._terms(text)

    def nouns(self, text: str) -> tuple[Noun, ...]:
        """Those of the terms whose words are all nouns: "belt", "hip belt"."""
        named = {i for t in self._parse(text) if t.pos_ in {"NOUN", "PROPN"} for i in range(t.idx, t.idx + len(t))}
        return tuple(n for n in self.terms(text) if named.issuperset(_inside(text, n)))

    def negations(self, text: str) -> int:
        """How many negations the text holds."""
        return self._words.negations(text)

    def polarity(self, text: str) -> Polarity:
        """Polarity of a clause by its own words; "neutral" where they do not tell."""
        return self._words.polarity(text)

    def irrealis(self, text: str) -> bool:
        """Whether the text tells of what was not so: "could have been crisp", "used to be good", "if it were warm"."""
        return irrealis(text)

    def _dictionary(self) -> frozenset[str]:
        """Lemmas, from the pipeline's own lemmatizer (WordNet's), and the words whose polarity is known."""
        tables = self._nlp.get_pipe("lemmatizer").lookups
        index = tables.get_table("lemma_index") if tables.has_table("lemma_index") else {}
        return frozenset(lemma for lemmas in index.values() for lemma in lemmas) | self._words.known

    def _all_terms(self, text: str) -> Iterator[Noun]:
        before = None
        for match in _TERM.finditer(text.lower()):
            if match[0] in self._nlp.Defaults.stop_words:
                continue
            one = _singular(match[0])
            noun = Noun(spellings("en").get(one, one), match.start(), match.end())
            yield noun
            if before is not None and text[before.end : noun.start] == " ":
                led = text[before.start : before.end].lower()
                yield Noun(f"{spellings('en').get(led, led)} {noun.lemma}", before.start, noun.end)
            before = noun

    def _parse(self, text: str) -> Any:
        with self._lock:
            self.prepare([text])
            return self._docs[text]


def _inside(text: str, noun: Noun) -> list[int]:
    return [i for i in range(noun.start, noun.end) if not text[i].isspace()]


def _singular(word: str) -> str:
    """A noun in lower case without the ending of its plural, by spelling alone."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
