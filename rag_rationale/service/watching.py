"""What the making of a rationale lets a person see who works on a template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rag_rationale.types import Draft, Kind, Plan, Verdict


class Watcher(Protocol):
    """Is told, sentence by sentence, what was planned, drafted, judged and chosen."""

    def planned(self, kind: Kind, plans: Sequence[Plan]) -> None:
        """The plans for the next sentence, best first."""

    def judged(self, plan: Plan, draft: Draft, verdict: Verdict) -> None:
        """A draft of a plan and its verdict, in the order they are tried."""

    def chose(self, draft: Draft, verdict: Verdict) -> None:
        """The draft that ranks best and its final verdict; where that is no, the next best follows."""


class _Unwatched:
    def planned(self, kind: Kind, plans: Sequence[Plan]) -> None:
        del kind, plans

    def judged(self, plan: Plan, draft: Draft, verdict: Verdict) -> None:
        del plan, draft, verdict

    def chose(self, draft: Draft, verdict: Verdict) -> None:
        del draft, verdict


UNWATCHED: Watcher = _Unwatched()
