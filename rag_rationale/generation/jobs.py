"""Requests as jobs: what each wants evaluated, step by step, and how it reads the logits.

A job's steps are a generator that yields rows to evaluate behind those before, and is sent the logits of each row that
asked for them, in order, the last token of the job's head first. A row at the position of one before takes its place
and that of all behind it. It knows nothing of caching, batches or other jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rag_rationale.errors import BackendError
from rag_rationale.generation.batching import Row, group
from rag_rationale.generation.guessing import Echo
from rag_rationale.generation.native import Logits, Native
from rag_rationale.generation.sampling import log_normaliser, pick
from rag_rationale.generation.text import Assembler
from rag_rationale.generation.trie import Node, assign_sequences, build_trie, common_length, count_branches
from rag_rationale.types import GenerateRequest, Score, ScoreRequest, TokenEvent, Usage

Steps = Generator[Sequence[Row], Logits, None]
Say = Callable[[object], None]
"""Takes a job's answers: TokenEvents, or (candidate, Score) pairs."""


@dataclass(frozen=True, slots=True)
class Job:
    """`head` comes first and is the same for all `sequences`, at most `cells` more tokens follow it. The first
    `shared` and `own` tokens of the head are prefixes worth keeping."""

    head: list[int]
    shared: int
    own: int
    cells: int
    sequences: int
    steps: Callable[[tuple[int, ...], Say], Steps]


@dataclass(frozen=True, slots=True)
class _Continuations:
    """Tokens of a prefix followed by each of several texts, cut at the last boundary that all of them share."""

    head: list[int]
    tails: list[list[int]]
    shared: int


class Jobs:
    """Makes jobs of requests for one `Native`, whose context takes `limit` tokens of one request; from any thread.

    A job scores at most `width` candidates.
    """

    def __init__(self, native: Native, *, limit: int, width: int) -> None:
        self._native, self._limit, self._width = native, limit, width
        self._tokens_of = lru_cache(64)(native.tokenise)  # of what many requests share

    def scoring(self, request: ScoreRequest) -> list[Job]:
        """Jobs that say (position, Score) of each candidate, to be done one after another.

        Tokens are those of prefix and candidate as one text. All candidates are charged from the same boundary: the
        end of the prefix, less its trailing spaces and any token that some candidate melts into. Raises BackendError
        where prefix and candidate exceed the context.
        """
        if not request.candidates:
            return []
        texts = self._tokenise(request.prefix, request.candidates, request.shared)
        room = self._room(texts.head, max(map(len, texts.tails)))
        groups = group(texts.tails, width=self._width, room=room)
        return [self._scoring(texts, places) for places in groups]

    def _scoring(self, texts: _Continuations, places: list[int]) -> Job:
        root = build_trie([texts.tails[i] for i in places])
        cells = sum(bool(node.children) for node in root.walk())
        own = len(texts.head)

        def steps(sequences: tuple[int, ...], say: Say) -> Steps:
            owned = assign_sequences(root, sequences)
            inner = [node for node in root.walk() if node in owned]
            rows = [Row(node.token, own - 1 + node.depth, owned[node], True) for node in inner]
            totals = {root: 0.0}
            ended = [(place, 0.0) for place in root.ends]
            for node in (root, *inner):
                logits = yield rows
                rows = []
                normaliser = log_normaliser(logits)
                for child in node.children.values():
                    totals[child] = totals[node] + float(logits[child.token]) - normaliser
                    ended += [(place, totals[child]) for place in child.ends]
            for place, logprob in ended:
                say((places[place], Score(logprob, len(texts.tails[places[place]]))))

        return Job(texts.head, texts.shared, own, cells, count_branches(root), steps)

    def generating(self, request: GenerateRequest) -> Job:
        """A job that says TokenEvents until one carries `finish`; with `choices` a single one, whose text is one of
        them. Raises BackendError where the prompt exceeds the context.
        """
        return self._choosing(request) if request.choices else self._writing(request)

    def _writing(self, request: GenerateRequest) -> Job:
        bare = request.prefix.rstrip(" ")  # a space belongs to the token that follows it
        if request.messages:
            head, shared = self._native.converse(request.messages), 0
        else:
            texts = self._tokenise(bare, ("",), min(request.shared, len(bare)))
            head, shared = texts.head, texts.shared
        budget = min(request.max_tokens, self._room(head, 1))
        echo = Echo(head)

        def steps(sequences: tuple[int, ...], say: Say) -> Steps:
            assembler = Assembler(request.stop, skip=request.prefix[len(bare) :])
            random = np.random.default_rng(request.seed)
            logprob = 0.0 if request.logprobs else None
            ahead: list[int] = []
            rows: list[Row] = []
            for written in range(budget):
                logits = yield rows
                token = pick(logits, request.temperature, random)
                if self._native.ends(token):
                    say(TokenEvent(assembler.flush(), logprob, "end", Usage(len(head), written)))
                    return
                if logprob is not None:
                    logprob += float(logits[token]) - log_normaliser(logits)
                text = assembler.feed(self._native.piece(token))
                if assembler.stopped:
                    say(TokenEvent(text, logprob, "stop", Usage(len(head), written + 1)))
                    return
                if text:
                    say(TokenEvent(text, logprob))
                    logprob = 0.0 if request.logprobs else None
                echo.add(token)
                if token in ahead[:1]:  # its row is on its way
                    rows, ahead = [], ahead[1:]
                    continue
                guesses = echo.guess(budget - written - 2)
                at, ahead = len(head) + written, [guessed for guessed, _ in guesses]
                rows = [Row(token, at, sequences, True)]
                rows += [Row(guessed, at + i, sequences, True, doubt) for i, (guessed, doubt) in enumerate(guesses, 1)]
            say(TokenEvent(assembler.flush(), logprob, "length", Usage(len(head), budget)))

        return Job(head, shared, len(head), max(budget - 1, 0), 1, steps)

    def _choosing(self, request: GenerateRequest) -> Job:
        """Greedy over the trie of choices; the event's `logprob` is of the choice among those allowed.

        A choice that begins another one ends there if a stop string or the end of text is likelier than going on.
        """
        texts = self._tokenise(request.prefix, request.choices, request.shared)
        longest = max(map(len, texts.tails))
        self._room(texts.head, longest)
        ending = [*self._native.enders, *(self._first_token(stop) for stop in request.stop if stop)]
        first = _open_question(build_trie(texts.tails))
        known = [node.token for node in first.path()]

        def steps(sequences: tuple[int, ...], say: Say) -> Steps:
            random = np.random.default_rng(request.seed)
            node, logprob = first, 0.0
            rows: list[Row] = []
            while node.children:
                logits = yield rows
                options = list(node.children.values())
                weights = logits[[option.token for option in options]]
                if node.ends:
                    weights = np.append(weights, logits[ending].max())
                place = pick(weights, request.temperature, random)
                logprob += float(weights[place]) - log_normaliser(weights)
                if place == len(options):
                    break
                done, node = node.depth, _open_question(options[place])
                steps_taken = node.path()[done:]
                rows = [
                    Row(step.token, len(texts.head) - 1 + step.depth, sequences, step is node) for step in steps_taken
                ]
            say(TokenEvent(request.choices[node.ends[0]], logprob, "choice"))

        head = [*texts.head, *known]
        return Job(head, texts.shared, len(texts.head), longest, 1, steps)

    def _tokenise(self, prefix: str, texts: Sequence[str], shared: int) -> _Continuations:
        bare = prefix.rstrip(" ")
        stem = self._native.tokenise(bare)
        whole = [self._native.tokenise(prefix + text) if text or prefix != bare else stem for text in texts]
        boundary = min([len(stem), *(common_length(stem, tokens) for tokens in whole)])
        head = stem[:boundary]
        kept = common_length(self._tokens_of(prefix[:shared]), head) if shared > 0 else 0
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


def _open_question(node: Node) -> Node:
    """The first node at or below this one where there is something to decide."""
    while len(node.children) == 1 and not node.ends:
        (node,) = node.children.values()
    return node
