"""A deterministic engine without a model: it ranks by shared words and says what it is told."""

from __future__ import annotations

import math
import re
import threading
import zlib
from collections import deque
from collections.abc import Iterator

from rag_rationale.types import Capability, GenerateRequest, Score, ScoreRequest, TokenEvent, Usage

_WORD = re.compile(r"[^\W_\u3400-\u9fff]+|[\u3400-\u9fff]")


class ScriptedEngine:
    """An engine whose answers can be foreseen.

    A candidate scores higher the more of its words (in Chinese: characters) stand in the prefix, per word, so neither
    long nor short ones win by length; a hash of the texts breaks ties. Generation returns the texts enqueued, oldest
    first, else the choice that scores best, else the last line of the prefix or the last message. `history` holds every
    request in order, or the newest `remembered`.
    """

    def __init__(self, *, name: str = "scripted", context_tokens: int = 4096, remembered: int | None = None) -> None:
        self._name = name
        self._context_tokens = context_tokens
        self._queue: deque[str] = deque()
        self._lock = threading.Lock()
        self.history: deque[ScoreRequest | GenerateRequest] = deque(maxlen=remembered)

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset(("logprobs", "choices", "prefix", "generate", "chat"))

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def enqueue(self, *texts: str) -> None:
        """Texts that the next calls of `generate` shall return, one each."""
        with self._lock:
            self._queue.extend(texts)

    def score(self, request: ScoreRequest) -> list[Score]:
        """One score per candidate, in the order given."""
        with self._lock:
            self.history.append(request)
        return [_score(request.prefix, candidate) for candidate in request.candidates]

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        """The next scripted text word by word, cut at stop strings and `max_tokens` words."""
        with self._lock:
            self.history.append(request)
            scripted = self._queue.popleft() if self._queue else None
        if request.choices:
            chosen = scripted
            if chosen not in request.choices:
                chosen = max(request.choices, key=lambda choice: _score(request.prefix, choice).mean)
            yield TokenEvent(chosen, _score(request.prefix, chosen).logprob, "choice")
            return
        prompt = "\n".join([request.prefix, *(text for _, text in request.messages)])
        text = scripted if scripted is not None else (prompt.strip().splitlines() or [""])[-1]
        yield from _say(text, request, prompt)

    def close(self) -> None:
        """Nothing to free."""


def _say(text: str, request: GenerateRequest, prompt: str) -> Iterator[TokenEvent]:
    cut = min((at for at in map(text.find, filter(None, request.stop)) if at >= 0), default=len(text))
    pieces = re.findall(r"\s*\S+|\s+$", text[:cut])
    for piece in pieces[: request.max_tokens]:
        yield TokenEvent(piece)
    usage = Usage(len(prompt.split()), min(len(pieces), request.max_tokens))
    if len(pieces) > request.max_tokens:
        yield TokenEvent("", finish="length", usage=usage)
    else:
        yield TokenEvent("", finish="stop" if cut < len(text) else "end", usage=usage)


def _score(prefix: str, candidate: str) -> Score:
    known = set(_words(prefix))
    words = _words(candidate)
    tie = zlib.crc32(f"{prefix}\0{candidate}".encode()) / 2**32 * 1e-3
    logprob = sum(math.log(0.5) if word in known else math.log(0.02) for word in words) - tie
    return Score(logprob, len(words))


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
