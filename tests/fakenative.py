"""A fake context that keeps llama.cpp's rules, whose every logit can be computed by brute force, and what drives it."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from rag_rationale.errors import BackendError
from rag_rationale.generation.batching import EVEN_ROWS, Row
from rag_rationale.generation.jobs import Job, Jobs
from rag_rationale.generation.memory import Memory
from rag_rationale.generation.native import Logits, Native
from rag_rationale.generation.scheduler import DONE, Scheduler, Task
from rag_rationale.types import GenerateRequest, Score, ScoreRequest, TokenEvent

WORDS = [
    *(bytes([b]) for b in range(256)),
    *(w.encode() for w in ("<bos>", "<eos>", "ab", "abc", " the", " pool", " was", "很干净", "房间", "房", "间", " a")),
]
BOS, EOS = 256, 257
MOST_STEPS = 20_000
VOCABULARY = len(WORDS)


@dataclass(eq=False)
class _Cell:
    place: int
    token: int
    position: int
    sequences: set[int]


class FakeNative:
    """What `Native` offers, in plain Python: greedy tokeniser, logits that hash the whole history of a row.

    Refuses what llama.cpp refuses: gaps, rows of sequences that have diverged, too many rows or cells. A new cell takes
    the lowest free place; cells of a sequence out of the order of their positions are refused, as they round otherwise.
    What is saved of a sequence lacks what its sliding window has passed. With `recalls`, logits depend on no more than
    so many tokens, and texts go round in circles.
    """

    WINDOW = 160

    def __init__(self, *, context: int = 256, opener: int = BOS, sequences: int = 12, recalls: int = 0) -> None:
        self.context, self.opener, self.enders, self.vocabulary = context, opener, (EOS,), VOCABULARY
        self.sequences, self.recalls = sequences, recalls
        self.cells: list[_Cell] = []
        self.decodes: list[int] = []
        self.loads = 0
        self.fail_next = False

    def ends(self, token: int) -> bool:
        return token == EOS

    def tokenise(self, text: str) -> list[int]:
        data, tokens = text.encode(), [BOS] if self.opener == BOS else []
        while data:
            ordinary = [i for i, word in enumerate(WORDS) if i not in (BOS, EOS) and data.startswith(word)]
            token = max(ordinary, key=lambda i: len(WORDS[i]))
            tokens.append(token)
            data = data[len(WORDS[token]) :]
        return tokens

    def piece(self, token: int) -> bytes:
        return b"" if token in (BOS, EOS) else WORDS[token]

    def held(self, sequence: int) -> list[int]:
        mine = sorted((c for c in self.cells if sequence in c.sequences), key=lambda c: c.position)
        assert [c.position for c in mine] == list(range(len(mine))), f"sequence {sequence} has a gap"
        assert [c.place for c in mine] == sorted(c.place for c in mine), f"sequence {sequence} lies out of order"
        return [c.token for c in mine]

    def decode(self, rows: Sequence[Row]) -> list[Logits]:
        self.decodes.append(len(rows))
        assert 0 < len(rows) <= EVEN_ROWS[-1]
        if self.fail_next:
            self.fail_next = False
            raise BackendError("planted fault")
        histories = {s: self.held(s) for row in rows for s in row.sequences}
        taken = {cell.place for cell in self.cells}
        free = (place for place in range(self.context + len(rows)) if place not in taken)
        out = []
        for row in rows:
            assert all(0 <= s < self.sequences for s in row.sequences)
            history = histories[row.sequences[0]]
            assert all(histories[s] == history for s in row.sequences), "coupled sequences have diverged"
            assert len(history) == row.position, "positions must be consecutive"
            self.cells.append(_Cell(next(free), row.token, row.position, set(row.sequences)))
            for s in row.sequences:
                histories[s].append(row.token)
            if row.logits:
                out.append(logits_after(history[-self.recalls :]))
        assert all(self.held(s) for s in histories)
        if len(self.cells) > self.context:
            raise BackendError("no slot for the batch")
        return out

    def copy(self, source: int, target: int, start: int, stop: int = -1) -> None:
        for cell in self.cells:
            if source in cell.sequences and start <= cell.position and (stop < 0 or cell.position < stop):
                cell.sequences.add(target)

    def truncate(self, sequence: int, length: int = 0) -> None:
        for cell in self.cells:
            if cell.position >= length:
                cell.sequences.discard(sequence)
        self.cells = [cell for cell in self.cells if cell.sequences]

    def length(self, sequence: int) -> int:
        return max((cell.position + 1 for cell in self.cells if sequence in cell.sequences), default=0)

    def save(self, sequence: int) -> bytearray:
        mine = sorted((c for c in self.cells if sequence in c.sequences), key=lambda c: c.place)
        last = max(c.position for c in mine)
        return bytearray(pickle.dumps([(c.token, c.position) for c in mine if c.position > last - self.WINDOW]))

    def load(self, sequence: int, data: bytearray) -> None:
        self.loads += 1
        self.truncate(sequence)
        taken = {cell.place for cell in self.cells}
        free = (place for place in range(self.context) if place not in taken)
        for token, position in pickle.loads(data):
            self.cells.append(_Cell(next(free), token, position, {sequence}))

    def clear(self) -> None:
        self.cells = []


def logits_after(tokens: Sequence[int]) -> Logits:
    seed = zlib.crc32(np.asarray(tokens, np.int32).tobytes())
    return np.random.default_rng(seed).normal(0, 3, VOCABULARY).astype(np.float32)


def logprob(tokens: Sequence[int], start: int) -> float:
    """Brute force: log-probability of tokens[start:] after what precedes them."""
    total = 0.0
    for i in range(start, len(tokens)):
        logits = logits_after(tokens[:i]).astype(np.float64)
        total += logits[tokens[i]] - np.log(np.exp(logits).sum())
    return total


class Driver:
    """Jobs, memory and scheduler over a fake, driven by hand: what an engine does, without its thread."""

    def __init__(self, native: FakeNative | None = None, *, leaves: int = 3) -> None:
        self.native = native or FakeNative()
        real = cast("Native", self.native)
        self.memory = Memory(real, sequences=self.native.sequences, leaves=leaves, budget=self.native.context // 2)
        self.jobs = Jobs(real, limit=self.memory.limit, width=4)
        self.scheduler = Scheduler(real, self.memory)

    @property
    def evaluated(self) -> int:
        return self.scheduler.evaluated

    def run(self) -> None:
        """Step until all is done."""
        for _ in range(MOST_STEPS):
            if not self.scheduler.busy:
                return
            self.scheduler.step()
        raise AssertionError("a task starves")

    def submit(self, job: Job) -> tuple[Task, list[object]]:
        answers: list[object] = []
        task = Task(job, answers.append)
        self.scheduler.add(task)
        return task, answers

    def answers(self, job: Job) -> Iterator[object]:
        """What a job says, as it comes; closing the iterator cancels it."""
        task, answers = self.submit(job)
        try:
            for _ in range(MOST_STEPS):
                if not answers:
                    self.scheduler.step()
                    continue
                answer = answers.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                if answer is DONE:
                    return
                yield answer
            raise AssertionError("a task starves")
        finally:
            task.cancel()

    def score(self, request: ScoreRequest) -> list[Score]:
        scores = {}
        for job in self.jobs.scoring(request):
            scores.update(cast("Iterator[tuple[int, Score]]", self.answers(job)))
        return [scores[i] for i in range(len(request.candidates))]

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        return cast("Iterator[TokenEvent]", self.answers(self.jobs.generating(request)))


def greedy(native: FakeNative, prefix: str, count: int) -> list[int]:
    """Oracle: the likeliest tokens, one by one."""
    tokens = native.tokenise(prefix)
    start = len(tokens)
    while len(tokens) - start < count and (best := int(logits_after(tokens[-native.recalls :]).argmax())) != EOS:
        tokens.append(best)
    return tokens[start:]
