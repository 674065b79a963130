"""The engine behind an OpenAI-compatible server: a tiny fake one that scores or does not, faults, deadlines."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import bounded
import httpx
import pytest

from rag_rationale.config import load_settings
from rag_rationale.errors import BackendError, DeadlineError
from rag_rationale.generation.remote import RemoteEngine
from rag_rationale.models import resolve
from rag_rationale.types import Engine, GenerateRequest, ScoreRequest

URL = "http://127.0.0.1:9/v1"


class FakeServer:
    """Completes every prompt with `text`, piece by piece; with `echoes` tells -1 per character of a token, which are
    words with the space before them."""

    def __init__(self, text: str = "a warm\npool", *, echoes: bool = False, finish: str = "stop") -> None:
        self.text, self.echoes, self.finish = text, echoes, finish
        self.asked: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "tiny"}, {"id": "other"}]})
        assert request.url.path == "/v1/completions"
        body = json.loads(request.content)
        self.asked.append(body)
        if body.get("stream"):
            pieces = [self.text[i : i + 3] for i in range(0, len(self.text), 3)]
            lines = [json.dumps({"choices": [{"text": piece, "finish_reason": None}]}) for piece in pieces]
            lines.append(json.dumps({"choices": [{"text": "", "finish_reason": self.finish}]}))
            return httpx.Response(200, text="".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]))
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        return httpx.Response(200, json={"choices": [self.reply(i, p, body) for i, p in enumerate(prompts)][::-1]})

    def reply(self, index: int, prompt: str, body: dict[str, Any]) -> dict[str, Any]:
        if not (self.echoes and body.get("echo")):
            return {"index": index, "text": self.text, "logprobs": None}
        starts = [0, *(i for i, letter in enumerate(prompt) if letter == " " and i)]
        ends = [*starts[1:], len(prompt)]
        logprobs = [None, *(float(a - b) for a, b in list(zip(starts, ends, strict=True))[1:])]
        told = {"text_offset": [*starts, len(prompt)], "token_logprobs": [*logprobs, -9.0]}
        return {"index": index, "text": prompt + "!", "logprobs": told}


def engine(server: Callable[[httpx.Request], httpx.Response], url: str = URL) -> RemoteEngine:
    return RemoteEngine(url, transport=httpx.MockTransport(server))


@pytest.fixture
def server() -> Iterator[FakeServer]:
    return FakeServer()


def test_the_model_is_the_one_named_or_the_first_listed(server: FakeServer) -> None:
    ours: Engine = engine(server)
    assert (ours.name, engine(server, f"{URL}#mine").name) == ("tiny", "mine")
    assert ours.capabilities == {"generate", "choices"}
    assert engine(FakeServer(echoes=True)).capabilities == {"generate", "choices", "logprobs"}


def test_a_stream_ends_before_its_stop_string_also_when_it_spans_pieces(server: FakeServer) -> None:
    ours = engine(server)
    whole = list(ours.generate(GenerateRequest("p", seed=7, temperature=0.5, max_tokens=9)))
    assert ("".join(e.text for e in whole), whole[-1].finish) == ("a warm\npool", "end")
    asked = server.asked[-1]
    assert (asked["seed"], asked["temperature"], asked["max_tokens"], asked["model"]) == (7, 0.5, 9, "tiny")
    stopped = list(ours.generate(GenerateRequest("p", stop=("m\np",))))
    assert ("".join(e.text for e in stopped), stopped[-1].finish) == ("a war", "stop")
    server.finish = "length"
    assert list(ours.generate(GenerateRequest("p")))[-1].finish == "length"


def test_scores_are_the_servers_charged_from_one_boundary() -> None:
    ours = engine(FakeServer(echoes=True))
    scores = ours.score(ScoreRequest("The pool was ", ("warm", "very cold", "")))
    assert [(s.logprob, s.tokens) for s in scores] == [(-5.0, 1), (-10.0, 2), (-1.0, 1)]
    melted = ours.score(ScoreRequest("The po", ("ol", " was")))
    assert [(s.logprob, s.tokens) for s in melted] == [(-5.0, 1), (-7.0, 2)]
    assert ours.score(ScoreRequest("x", ())) == []


def test_a_choice_is_the_best_scored_one_or_the_one_written_under_constraint() -> None:
    choices = (" very cold", " warm", ' "quoted"\n')
    assert next(engine(FakeServer(echoes=True)).generate(GenerateRequest("It was", choices=choices))).text == " warm"
    server = FakeServer(text=' "quoted"\n')
    (event,) = engine(server).generate(GenerateRequest("It was", choices=choices))
    assert (event.text, event.finish) == (choices[2], "choice")
    assert server.asked[-1]["grammar"] == 'root ::= " very cold" | " warm" | " \\"quoted\\"\\n"'
    server.text = "nonsense"
    assert next(engine(server).generate(GenerateRequest("It was", choices=choices))).text == choices[0]


def test_what_the_server_cannot_or_will_not_do_is_told(server: FakeServer) -> None:
    with pytest.raises(BackendError, match="tiny cannot score"):
        engine(server).score(ScoreRequest("x", ("y",)))

    def broken(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503, text="loading model") if request.method == "POST" else server(request)

    with pytest.raises(BackendError, match=r"503.*loading model.*server runs"):
        list(engine(broken).generate(GenerateRequest("x")))

    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(BackendError, match=r"127\.0\.0\.1:9/v1/ failed with ConnectError refused"):
        engine(down)


def test_after_the_deadline_a_text_ends_and_a_choice_fails(server: FakeServer) -> None:
    ours = engine(server)

    def slow(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    ours._client = httpx.Client(base_url=URL, transport=httpx.MockTransport(slow))
    assert [e.finish for e in ours.generate(GenerateRequest("x", deadline_ms=5))] == ["deadline"]
    with pytest.raises(DeadlineError):
        list(ours.generate(GenerateRequest("x", choices=("a", "b"), deadline_ms=5)))
    with pytest.raises(BackendError, match="ReadTimeout"):
        list(ours.generate(GenerateRequest("x")))


@pytest.fixture
def native_server() -> Iterator[str]:
    """The URL of a llama-server on a free port, of this very llama.cpp."""
    tool = Path(__file__).parents[1] / ".cache" / "llama.cpp" / "bin" / "llama-server"
    if not tool.is_file():
        pytest.skip("no llama-server; scripts/llama_tools builds one, in some minutes")
    model = resolve("gemma-3-270m-en-zh", "writer", folder=load_settings().models).path
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [str(tool), "-m", str(model), "-c", "2048", "-np", "2", "-t", "2", "--port", str(port)]
    with bounded.started(command) as process:

        def healthy() -> bool:
            assert process.popen.poll() is None, process.stderr
            with suppress(httpx.TransportError):
                return httpx.get(f"http://127.0.0.1:{port}/health", timeout=10).status_code == 200
            return False

        bounded.until(healthy, seconds=120, of=process)
        yield f"http://127.0.0.1:{port}/v1"


@pytest.mark.slow
def test_a_native_llama_server_writes_and_chooses(native_server: str) -> None:
    ours = RemoteEngine(native_server)
    try:
        assert ours.capabilities == {"generate", "choices"}
        events = list(ours.generate(GenerateRequest("The capital of France is", max_tokens=6)))
        assert "".join(e.text for e in events).startswith(" ")
        assert events[-1].finish == "length"
        stopped = list(ours.generate(GenerateRequest("1, 2, 3, 4, 5,", max_tokens=20, stop=(" 8",))))
        assert ("".join(e.text for e in stopped), stopped[-1].finish) == (" 6, 7,", "stop")
        choices = (" Rome", " Paris", " Madrid")
        english = "Question: What is the capital of France? Answer:"
        chinese = "问：中国的首都是哪里？答："
        asked = [GenerateRequest(english, choices=choices), GenerateRequest(chinese, choices=("东京", "伦敦", "北京"))]
        with bounded.Threads(4, seconds=300) as threads:  # more clients than slots
            chosen = list(threads.map(lambda request: next(ours.generate(request)).text, asked * 2))
        assert chosen == [" Paris", "北京"] * 2
    finally:
        ours.close()
