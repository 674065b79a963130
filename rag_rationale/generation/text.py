"""Bytes of tokens to text: characters split across tokens are held back, stop strings never come out. Pure Python."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Assembler:
    """Feed it the bytes of one token after another; it returns the text that is certain.

    `stop` strings end the text: what follows one is dropped, the string itself too, also when it spans tokens. Of
    several the one complete first wins, then the longest, however the text is cut into tokens. `skip` holds spaces that
    the prompt has already: as many are dropped from the front.
    """

    def __init__(self, stop: Sequence[str] = (), *, skip: str = "") -> None:
        self._stops = [s for s in stop if s]
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._skip = len(skip)
        self._pending = ""
        self.stopped = False

    def feed(self, data: bytes) -> str:
        """The text now certain, "" while it may still turn into a stop string or a character is incomplete."""
        if self.stopped:
            return ""
        text = self._decoder.decode(data)
        while self._skip and text:
            if text[0] != " ":
                self._skip = 0
                break
            text, self._skip = text[1:], self._skip - 1
        self._pending += text
        hits = [(at + len(s), at) for s in self._stops if (at := self._pending.find(s)) >= 0]
        if hits:
            self.stopped = True
            return self._release(min(hits)[1], keep=False)
        return self._release(len(self._pending) - self._undecided(), keep=True)

    def flush(self) -> str:
        """What was held back, at the end of generation; half a character is dropped."""
        return self._release(len(self._pending), keep=False)

    def _release(self, length: int, *, keep: bool) -> str:
        text, rest = self._pending[:length], self._pending[length:]
        self._pending = rest if keep else ""
        return text

    def _undecided(self) -> int:
        """Length of the longest end of the pending text that could begin a stop string."""
        longest = max(map(len, self._stops), default=1) - 1
        for length in range(min(longest, len(self._pending)), 0, -1):
            if any(s.startswith(self._pending[-length:]) for s in self._stops):
                return length
        return 0
