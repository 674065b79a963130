"""Progress on standard error: one line rewritten on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time


class ProgressLine:
    """A `types.Progress` that shows stage, count, rate and, where the total is known, the time left."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet, self._terminal = quiet, sys.stderr.isatty()
        self._stage, self._began, self._shown = "", 0.0, 0.0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self.finish()
            self._stage, self._began, self._shown = stage, now, now if not self._terminal else 0.0
        last = total is not None and done >= total
        if self._quiet or (now - self._shown < (0.1 if self._terminal else 10.0) and not last):
            return
        self._shown = now
        rate = done / max(now - self._began, 1e-6)
        left = f", {(total - done) / rate:.0f} s left" if total is not None and rate > 0 and not last else ""
        line = f"{stage}: {done:,}{f' of {total:,}' if total is not None else ''} ({rate:,.0f}/s{left})"
        print(f"\r\x1b[K{line}" if self._terminal else line, end="" if self._terminal else "\n", file=sys.stderr)

    def finish(self) -> None:
        """End the line that is being rewritten."""
        if self._terminal and self._stage and not self._quiet:
            print(file=sys.stderr)
        self._stage = ""
