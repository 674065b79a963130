"""An engine behind any OpenAI-compatible server (llama-server, vLLM), by URL: texts completed, choices constrained.

Knows the server's HTTP interface and nothing of models. What a server cannot do is missing from `capabilities`.
"""

from __future__ import annotations

import itertools
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urldefrag, urlsplit

import httpx

from rag_rationale.errors import BackendError, DeadlineError
from rag_rationale.generation.text import Assembler
from rag_rationale.types import Capability, GenerateRequest, Score, ScoreRequest, TokenEvent

LOG = logging.getLogger("rag_rationale.engine")
_LOCAL = {"127.0.0.1", "localhost", "::1"}
_TIMEOUT = httpx.Timeout(120.0, connect=10.0)


class RemoteEngine:
    """The model of a server at `http://host/v1#model`; without `#model` the first that the server lists.

    Safe to call from several threads; the server does the batching. It can score where the server echoes a prompt's
    log-probabilities (vLLM does, llama-server does not), which is found out at opening. `transport` stands in for the
    network. Raises BackendError where the server does not answer.
    """

    def __init__(
        self, url: str, *, key: str | None = None, context: int = 4096, transport: httpx.BaseTransport | None = None
    ) -> None:
        base, model = urldefrag(url)
        if urlsplit(base).hostname not in _LOCAL:
            LOG.warning("Texts of users and items go to %s and leave this machine.", base)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(
            base_url=f"{base.rstrip('/')}/", headers=headers, timeout=_TIMEOUT, transport=transport
        )
        self._context = context
        try:
            self._model = model or self._first_model()
            self._echoes = self._tries_echo()
        except BackendError:
            self._client.close()
            raise

    @property
    def name(self) -> str:
        return self._model

    @property
    def capabilities(self) -> frozenset[Capability]:
        can: set[Capability] = {"generate", "choices"}
        return frozenset(can | {"logprobs"} if self._echoes else can)

    @property
    def context_tokens(self) -> int:
        """What the settings say: servers do not tell in a common way."""
        return self._context

    def score(self, request: ScoreRequest) -> list[Score]:
        """One score per candidate, in the order given, all charged from the same token boundary.

        Raises BackendError where the server tells no log-probabilities of a prompt, DeadlineError after `deadline_ms`.
        """
        if not request.candidates:
            return []
        if not self._echoes:
            raise BackendError(f"{self._model} cannot score.", remedy="Use `generate` with `choices`.")
        prompts = [request.prefix + candidate for candidate in request.candidates]
        told = self._echo(prompts, _left(request.deadline_ms))
        end = len(request.prefix.rstrip(" "))
        boundary = min(_boundary(offsets, end) for offsets, _ in told)
        return [_charged(*one, len(prompt), boundary) for one, prompt in zip(told, prompts, strict=True)]

    def generate(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        """Token events until one carries `finish`; dropping the iterator closes the connection, which ends the work.

        Servers call a stop string and the end of the text alike, so `finish` is "stop" where stop strings were given.
        With `choices`, the one that scores best where the server scores, else the one that it writes under constraint.
        """
        return self._choose(request) if request.choices else self._write(request)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _write(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        end = None if request.deadline_ms is None else time.monotonic() + request.deadline_ms / 1000
        bare = request.prefix.rstrip(" ")
        assembler = Assembler(request.stop, skip=request.prefix[len(bare) :])
        finish = "length"
        body = self._body(bare, request) | {"stream": True}
        try:
            for choice in self._stream(body, _left(request.deadline_ms)):
                text = assembler.feed(str(choice.get("text") or "").encode())
                if assembler.stopped:
                    yield TokenEvent(text, finish="stop")
                    return
                if text:
                    yield TokenEvent(text)
                finish = choice.get("finish_reason") or finish
                if end is not None and time.monotonic() > end:
                    raise DeadlineError("late")
        except DeadlineError:
            yield TokenEvent("", finish="deadline")
            return
        ended = "stop" if request.stop else "end"
        yield TokenEvent(assembler.flush(), finish="length" if finish == "length" else ended)  # type: ignore[arg-type]

    def _choose(self, request: GenerateRequest) -> Iterator[TokenEvent]:
        choices = request.choices
        if len(choices) == 1:
            place = 0
        elif self._echoes:
            scores = self.score(ScoreRequest(request.prefix, choices, deadline_ms=request.deadline_ms))
            place = max(range(len(choices)), key=lambda i: scores[i].logprob)
        else:
            place = self._constrained(request)
        yield TokenEvent(choices[place], finish="choice")

    def _constrained(self, request: GenerateRequest) -> int:
        """Ask in the dialects of llama-server and vLLM; an answer that is no choice means the first."""
        grammar = "root ::= " + " | ".join(json.dumps(choice, ensure_ascii=False) for choice in request.choices)
        body = self._body(request.prefix, request) | {"grammar": grammar, "guided_choice": list(request.choices)}
        body |= {"max_tokens": max(request.max_tokens, 2 * max(map(len, request.choices)) + 8), "stop": None}
        text = str(_choices(self._post("completions", body, _left(request.deadline_ms)))[0].get("text"))
        if text in request.choices:
            return request.choices.index(text)
        LOG.warning("%s answered %r, which is none of %d choices", self._model, text[:80], len(request.choices))
        return 0

    def _body(self, prompt: str, request: GenerateRequest) -> dict[str, Any]:
        return {
            "model": self._model,
            "prompt": prompt,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "stop": list(request.stop) or None,
        }

    def _first_model(self) -> str:
        listed = self._call("GET", "models", None, None).get("data")
        if not isinstance(listed, list) or not listed or not isinstance(listed[0], dict):
            raise BackendError("The server lists no model.", remedy="Name one: http://host/v1#model.")
        return str(listed[0].get("id"))

    def _tries_echo(self) -> bool:
        try:
            return len(self._echo(["One two three"], None)[0][0]) > 1
        except (BackendError, LookupError, TypeError, ValueError) as error:
            LOG.info("%s tells no log-probabilities of prompts: %s", self._model, error)
            return False

    def _echo(self, prompts: Sequence[str], seconds: float | None) -> list[tuple[list[int], list[float]]]:
        """(offsets in characters, log-probabilities) of each prompt's tokens; the first token's is 0."""
        body = {"model": self._model, "prompt": list(prompts), "max_tokens": 1, "temperature": 0, "echo": True}
        replies = _choices(self._post("completions", body | {"logprobs": 1}, seconds))
        told = [reply["logprobs"] for reply in sorted(replies, key=lambda reply: reply.get("index", 0))]
        if len(told) != len(prompts):
            raise BackendError(f"The server answered {len(told)} of {len(prompts)} prompts.")
        return [(one["text_offset"], [float(p or 0.0) for p in one["token_logprobs"]]) for one in told]

    def _post(self, path: str, body: Mapping[str, Any], seconds: float | None) -> dict[str, Any]:
        return self._call("POST", path, body, seconds)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None, seconds: float | None) -> dict[str, Any]:
        try:
            reply = self._client.request(method, path, json=body, timeout=seconds or _TIMEOUT)
            reply.raise_for_status()
            value = reply.json()
        except (httpx.HTTPError, ValueError) as error:
            raise self._failed(error, seconds) from error
        if not isinstance(value, dict):
            raise BackendError(f"{self._client.base_url} answered {str(value)[:80]!r}, expected an object.")
        return value

    def _stream(self, body: Mapping[str, Any], seconds: float | None) -> Iterator[dict[str, Any]]:
        try:
            with self._client.stream("POST", "completions", json=body, timeout=seconds or _TIMEOUT) as reply:
                if reply.is_error:
                    reply.read()
                reply.raise_for_status()
                for line in reply.iter_lines():
                    data = line.removeprefix("data:").strip()
                    if line.startswith("data:") and data != "[DONE]":
                        yield _choices(json.loads(data))[0]
        except (httpx.HTTPError, ValueError) as error:
            raise self._failed(error, seconds) from error

    def _failed(self, error: Exception, seconds: float | None) -> BackendError | DeadlineError:
        if isinstance(error, httpx.TimeoutException) and seconds:
            return DeadlineError(f"The deadline passed before {self._client.base_url} had an answer.")
        said = f": {error.response.text[:200]}" if isinstance(error, httpx.HTTPStatusError) else ""
        return BackendError(
            f"{self._client.base_url} failed with {type(error).__name__} {error}{said}",
            remedy="Check that the server runs, its URL (it ends in /v1), its model and its key.",
        )


def _choices(reply: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices:
        raise BackendError(f"The server's reply has no choices: {str(reply)[:200]}")
    return choices


def _boundary(offsets: Sequence[int], end: int) -> int:
    """Where the first token begins that reaches beyond the end of the prefix."""
    inside = [start for start, following in itertools.pairwise(offsets) if following <= end]
    return offsets[len(inside)]


def _charged(offsets: Sequence[int], logprobs: Sequence[float], length: int, boundary: int) -> Score:
    charged = [p for start, p in zip(offsets, logprobs, strict=True) if boundary <= start < length]
    return Score(sum(charged), len(charged))


def _left(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else max(milliseconds / 1000, 0.001)
