"""Scores and texts out of one context: what to evaluate, what to reuse, how to read the logits.

Knows requests and caching, and nothing of threads: one `Decoder` is used from one thread. Every public method leaves
the context usable, also when it raises or its iterator is dropped halfway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag_rationale.errors import BackendError
from rag_rationale.generation.batching import EVEN_ROWS, Row, cut, group, with_outputs
from rag_rationale.generation.native import Logits, Native
from rag_rationale.generation.prefixes import Prefixes
from rag_rationale.generation.text import Assembler
from rag_rationale.generation.trie import Node, assign_sequences, build_trie, common_length
from rag_rationale.types import GenerateRequest, Score, ScoreRequest, TokenEvent

_WORK = 0
_BLOCK = 1 << 14


@dataclass(frozen=True, slots=True)
class _Continuations:
    """Tokens of a prefix followed by each of several texts, cut at the last boundary that all of them share."""

    head: list[int]
    tails: list[list[int]]
    shared: int


class Decoder:
    """Scores and generates over one `Native`.

    Sequence 0 holds the request at work and keeps its prefix for the next one; up to `residents` more hold prefixes
    marked as shared; the last holds padding; the rest carry the branches of a candidate trie.
    """

    def __init__(self, native: Native, *, sequences: int, residents: int) -> None:
        self._native = native
        self._prefixes = Prefixes(range(1, 1 + residents), budget=native.context // 2)
        self._branches = range(1 + residents, sequences - 1)
        self._padding = sequences - 1
        self._limit = native.context - EVEN_ROWS[0]
        self._work: list[int] = []
        self._full = False
        self._scratch = np.empty(_BLOCK, np.float32)
        self.evaluated = 0

    def score(self, request: ScoreRequest) -> list[Score]:
        """One score per candidate, in the order given.

        Tokens are those of prefix and candidate as one text. All candidates are charged from the same boundary: the
        end of the prefix, less its trailing spaces and any token that some candidate melts into.
        """
        if not request.candidates:
            return []
        texts = self._tokenise(request.prefix, request.candidates, request.shared)
        room = self._room(texts.head, max(map(len, texts.tails)))
        scores: list[Score] = [Score(0.0, 0)] * len(texts.tails)
        with self._recovering():
            for chunk in group(texts.tails, width=len(self._branches), room=room):
                root = build_trie([texts.tails[i] for i in chunk])
                for place, logprob in self._score_trie(texts.head, root):
                    scores[chunk[place]] = Score(logprob, len(texts.tails[chunk[place]]))
            self._keep_shared(texts)
        return scores

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        """Token events until one carries `finish`; with `choices` a single event, whose text is one of them."""
        return self._choose(request) if request.choices else self._write(request)

    def _write(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        bare = request.prefix.rstrip(" ")  # a space belongs to the token that follows it
        texts = self._tokenise(bare, ("",), min(request.shared, len(bare)))
        budget = min(request.max_tokens, self._room(texts.head, 1))
        assembler = Assembler(request.stop, skip=request.prefix[len(bare) :])
        random = np.random.default_rng(request.seed)
        logprob = 0.0
        with self._recovering():
            logits = self._evaluate(texts.head, more=budget)
            self._keep_shared(texts)
            for step in range(budget):
                token = _pick(logits, request.temperature, random)
                if self._native.ends(token):
                    yield TokenEvent(assembler.flush(), logprob, "end")
                    return
                logprob += float(logits[token]) - self._log_normaliser(logits)
                text = assembler.feed(self._native.piece(token))
                if assembler.stopped:
                    yield TokenEvent(text, logprob, "stop")
                    return
                if text:
                    yield TokenEvent(text, logprob)
                    logprob = 0.0
                if step + 1 < budget:
                    logits = self._step(Row(token, len(texts.head) + step, (_WORK,), True))
            yield TokenEvent(assembler.flush(), logprob, "length")

    def _choose(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        """Greedy over the trie of choices; the event's `logprob` is of the choice among those allowed.

        A choice that begins another one ends there if a stop string or the end of text is likelier than going on.
        """
        texts = self._tokenise(request.prefix, request.choices, request.shared)
        self._room(texts.head, max(map(len, texts.tails)))
        ending = [*self._native.enders, *(self._first_token(stop) for stop in request.stop if stop)]
        random = np.random.default_rng(request.seed)
        node, logprob = build_trie(texts.tails), 0.0
        with self._recovering():
            while node.children:
                options = list(node.children.values())
                place = 0
                if node.ends or len(options) > 1:
                    logits = self._evaluate([*texts.head, *(step.token for step in node.path())])
                    self._keep_shared(texts)
                    weights = logits[[option.token for option in options]]
                    if node.ends:
                        weights = np.append(weights, logits[ending].max())
                    place = _pick(weights, request.temperature, random)
                    logprob += float(weights[place]) - self._log_normaliser(weights)
                    if place == len(options):
                        break
                node = options[place]
        yield TokenEvent(request.choices[node.ends[0]], logprob, "choice")

    def _tokenise(self, prefix: str, texts: Sequence[str], shared: int) -> _Continuations:
        bare = prefix.rstrip(" ")
        stem = self._native.tokenise(bare)
        whole = [self._native.tokenise(prefix + text) for text in texts]
        boundary = min([len(stem), *(common_length(stem, tokens) for tokens in whole)])
        head = stem[:boundary]
        kept = common_length(self._native.tokenise(prefix[:shared]), head) if shared > 0 else 0
        if not head:  # a vocabulary without an opening token, and nothing before the text
            return _Continuations([self._native.opener], whole, 0)
        return _Continuations(head, [tokens[boundary:] for tokens in whole], kept)

    def _first_token(self, text: str) -> int:
        return self._native.tokenise(text)[len(self._native.tokenise("")) :][0]

    def _room(self, head: Sequence[int], needed: int) -> int:
        """Cells left beside the head, at least `needed`. Raises BackendError where there are fewer."""
        if len(head) + needed > self._limit:
            raise BackendError(
                f"The prompt has {len(head)} tokens and its continuation {needed}; the context holds {self._limit}.",
                remedy="Shorten the evidence in the prompt, or raise the setting `context`.",
            )
        return self._limit - len(head)

    def _reuse(self, head: Sequence[int], cells: int) -> int:
        """Let the work sequence hold as much of the head as any sequence has, short of its last token; how much.

        `cells` is what the request will fill. What is freed here lies above what is kept, so that cells stay in the
        order of positions.
        """
        if self._full or self._prefixes.tokens + cells > self._limit:
            self._forget()
        most = len(head) - 1
        length = min(common_length(self._work, head), most)
        sequence, resident = self._prefixes.longest(head)
        if min(resident, most) > length:
            length = min(resident, most)
            self._native.truncate(_WORK)
            self._native.copy(sequence, _WORK, length)
        else:
            self._native.truncate(_WORK, length)
        self._work = list(head[:length])
        return length

    def _evaluate(self, tokens: list[int], *, more: int = 0) -> Logits:
        """Logits after these tokens, of which no more is evaluated than is new; `more` will follow."""
        held = self._reuse(tokens, len(tokens) + more)
        last = len(tokens) - 1
        kept: list[Logits] = []
        self._decode([Row(tokens[i], i, (_WORK,), i == last) for i in range(held, len(tokens))], kept.append)
        self._work = tokens
        return kept[0]

    def _score_trie(self, head: list[int], root: Node) -> Iterator[tuple[int, float]]:
        """(candidate, log-probability) of every candidate in the trie; new head tokens ride in the same batch."""
        owned = assign_sequences(root, self._branches)
        inner = [node for node in root.walk() if node in owned]
        held = self._reuse(head, len(head) + len(inner))
        for sequence in owned[root]:
            self._native.copy(_WORK, sequence, held)
        everyone = (_WORK, *owned[root])
        rows = [Row(head[i], i, everyone, i + 1 == len(head)) for i in range(held, len(head))]
        base = len(head) - 1
        rows += [Row(node.token, base + node.depth, owned[node], True) for node in inner]
        asked, totals = iter([root, *inner]), {root: 0.0}
        found: list[tuple[int, float]] = [(place, 0.0) for place in root.ends]

        def read(logits: Logits) -> None:
            node = next(asked)
            normaliser = self._log_normaliser(logits)
            for child in node.children.values():
                totals[child] = totals[node] + float(logits[child.token]) - normaliser
                found.extend((place, totals[child]) for place in child.ends)

        self._decode(rows, read, outputs=EVEN_ROWS[0])
        for sequence in owned[root]:
            self._native.truncate(sequence)
        self._work = head
        yield from found

    def _keep_shared(self, texts: _Continuations) -> None:
        """Hold the shared part of the head, which the work sequence has, for later requests."""
        shared = texts.head[: texts.shared]
        if self._prefixes.lacks(shared):
            sequence = self._prefixes.admit(shared)
            if sequence is None:
                self._full = True
            else:
                self._native.copy(_WORK, sequence, len(shared))

    def _forget(self) -> None:
        self._native.clear()
        self._prefixes.clear()
        self._work, self._full = [], False

    def _step(self, row: Row) -> Logits:
        """The logits of one row: half the time of an even decode. One row of padding, as a lone one attends otherwise
        once the context is half full."""
        logits = self._native.decode([row, *self._pad(1)])[0]
        self._native.truncate(self._padding)
        self.evaluated += 1
        return logits

    def _decode(self, rows: Sequence[Row], read: Callable[[Logits], None], *, outputs: int = 1) -> None:
        """Evaluate rows so that they round the same way in any company; hand over each row's logits while valid.

        Rows with logits go on through layers of their own, so a decode has none or at least `outputs` of them.
        """
        padding = self._pad(EVEN_ROWS[0] - len(rows))
        for piece in cut([*rows, *padding], most=EVEN_ROWS[-1]):
            asked = with_outputs(piece, outputs)
            wanted = (row.logits for row, one in zip(piece, asked, strict=True) if one.logits)
            for logits, want in zip(self._native.decode(asked), wanted, strict=True):
                if want:
                    read(logits)
        self.evaluated += len(rows)
        if padding:  # behind the others, so that what it frees lies above them
            self._native.truncate(self._padding)

    def _pad(self, count: int) -> list[Row]:
        return [Row(self._native.opener, i, (self._padding,)) for i in range(count)]

    def _log_normaliser(self, logits: NDArray[np.float32]) -> float:
        """log(sum(exp(logits))), block by block so that it stays in the processor's cache."""
        top, total = logits.max(), 0.0
        for start in range(0, len(logits), _BLOCK):
            block = logits[start : start + _BLOCK]
            scratch = self._scratch[: len(block)]
            np.subtract(block, top, out=scratch)
            total += float(np.exp(scratch, out=scratch).sum())
        return float(top) + float(np.log(total))

    @contextmanager
    def _recovering(self) -> Iterator[None]:
        """After a fault forget everything, so that the next request finds a sound context."""
        try:
            yield
        except Exception:
            self._forget()
            raise


def _pick(weights: NDArray[np.float32], temperature: float, random: np.random.Generator) -> int:
    """The position of the greatest weight, or one drawn with probability softmax(weights / temperature)."""
    if temperature <= 0:
        return int(weights.argmax())
    scaled = weights.astype(np.float64) / temperature
    cumulative = np.cumsum(np.exp(scaled - scaled.max()))
    return int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))
