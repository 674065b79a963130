"""Clients that send or take slowly, or open too many connections, hold up nobody else for long."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import bounded
import httpx
import pytest
import serving

from rag_rationale.api import connections, limits
from rag_rationale.service import Explainer

HEAD = b"POST /v1/rationales HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture
def impatient(shop: Explainer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that waits for no client for long."""
    for module, name in ((connections, "HEAD_SECONDS"), (connections, "REPLY_SECONDS"), (limits, "BODY_SECONDS")):
        monkeypatch.setattr(module, name, 0.5)
    with serving.running(serving.Staged(shop)) as url:
        yield url


def _opened(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def _read(line: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    got, end = b"", time.monotonic() + 30
    with suppress(ConnectionResetError):
        while time.monotonic() < end and (more := line.recv(65536)):
            got += more
    return got


def _problem(reply: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)


def test_a_head_that_comes_letter_by_letter_is_cut_off(impatient: str) -> None:
    with _opened(impatient) as line:
        began = time.monotonic()
        with suppress(OSError):
            for at in range(40):
                line.sendall(HEAD[at : at + 1])
                time.sleep(0.05)
        status, told = _problem(_read(line))
    assert (status, told["status"]) == (408, 408)
    assert 0.4 < time.monotonic() - began < 10
    with _opened(impatient) as line:  # the second request of a connection no less than the first
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in line.recv(65536)
        line.sendall(HEAD)
        assert b" 408 " in _read(line)


def test_a_connection_without_a_request_is_closed_without_a_word(impatient: str) -> None:
    with _opened(impatient) as line:
        assert _read(line) == b""


@pytest.mark.parametrize("told", [b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_body_that_comes_letter_by_letter_is_cut_off(impatient: str, told: bytes) -> None:
    with _opened(impatient) as line:
        line.sendall(HEAD + told)
        with suppress(OSError):
            for _ in range(40):
                line.sendall(b"{" if told.startswith(b"C") else b"1\r\n{\r\n")
                time.sleep(0.05)
        status, problem = _problem(_read(line))
    assert status == 408
    assert "not whole" in problem["detail"]


def test_a_body_that_nobody_reads_is_not_awaited_for_ever(impatient: str) -> None:
    with _opened(impatient) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        began, closed = time.monotonic(), False
        while time.monotonic() - began < 20 and not closed:
            time.sleep(0.05)
            try:
                line.sendall(b"x")
            except OSError:
                closed = True
    assert closed


def test_who_takes_nothing_of_a_reply_is_hung_up_on(impatient: str) -> None:
    wanted = len(httpx.get(f"{impatient}/openapi.json", timeout=20).content)
    count = 40_000_000 // wanted  # more than a system buffers
    with _opened(impatient) as line:
        line.settimeout(0.5)
        with suppress(OSError):
            line.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * count)
        time.sleep(1.5)
        line.settimeout(20)
        assert len(_read(line)) < count * wanted / 2


def test_a_reply_that_takes_longer_than_a_head_may_is_not_cut_off(shop: Explainer, impatient: str) -> None:
    staged = serving.Staged(shop)
    del impatient
    with (
        serving.running(staged) as url,
        httpx.Client(base_url=url, timeout=30) as http,
        bounded.Threads(1) as threads,
    ):
        asked = threads.submit(http.post, "/v1/rationales", json=serving.REQUEST | {"stream": True})
        time.sleep(1.5)
        staged.go.set()
        assert serving.events(asked.result().text)[-1][0] == "done"


def test_connections_beyond_what_there_may_be_are_refused_and_the_others_served(
    shop: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST", 5)
    with serving.running(shop) as url, httpx.Client(base_url=url, timeout=20) as http, ExitStack() as stack:
        assert http.get("/healthz").status_code == 200  # and stays open
        held = [stack.enter_context(_opened(url)) for _ in range(4)]
        with _opened(url) as line:
            status, problem = _problem(_read(line))
        assert (status, problem["type"].rpartition(":")[2]) == (503, "busy")
        assert http.post("/v1/rationales", json=serving.REQUEST).status_code == 200
        refused = [_asked(url) for _ in range(20)]  # though they had begun to write
        assert all(b" 503 " in reply and b"retry-after: 1" in reply for reply in refused)
        held[0].close()
        bounded.until(lambda: b" 200 " in _asked(url), seconds=10)


def _asked(url: str) -> bytes:
    with _opened(url) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return _read(line)
