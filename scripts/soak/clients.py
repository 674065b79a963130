"""Clients of a running service: those that ask again once answered, those that come whatever happens, those that die.

Knows HTTP alone. What it heard lies in `Heard`, in the order of the answers.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

_LONGEST = 300  # seconds of one request
Ask = tuple[str, dict[str, Any]]
"""Path and body of a POST."""

_DYING = """
import socket, sys
host, port, head = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
line = socket.create_connection((host, port), timeout=120)
line.sendall(head)
got = b""
while b"event: evidence" not in got:
    got += line.recv(65536) or sys.exit("no stream: " + repr(got))
print("reading", flush=True)
sys.stdin.read()
"""


@dataclass
class Heard:
    """What came back. `failed` counts connections that broke; `replies` hold the bodies of status 200."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[int, list[float]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    replies: list[tuple[str, Any]] = field(default_factory=list)
    hits: int = 0
    impolite: int = 0

    @property
    def count(self) -> int:
        return self.statuses.total() + self.failed.total()

    @property
    def troubles(self) -> int:
        """Whatever was neither answered nor politely refused."""
        refused = self.statuses[429] + self.statuses[503]
        return self.count - self.statuses[200] - refused + self.impolite

    def ms(self, share: float, *statuses: int) -> float:
        """Milliseconds that this share of the replies of some statuses stayed below; NaN without any."""
        spent = sorted(s for status in statuses for s in self.seconds.get(status, ()))
        return spent[min(int(len(spent) * share), len(spent) - 1)] * 1000 if spent else float("nan")


class Clients:
    """Clients of the service at `url`. `keep` has the bodies of their replies kept."""

    def __init__(self, url: str, *, keep: bool = False) -> None:
        self._url, self._keep = url, keep
        self.heard = Heard()

    async def until_answered(
        self,
        asks: Iterator[Ask],
        *,
        clients: int,
        requests: int | None = None,
        seconds: float = float("inf"),
        enough: Callable[[], bool] = lambda: False,
    ) -> Heard:
        """`clients` that ask again once they are answered: for a number of requests, a time, or until `enough`."""
        end = time.perf_counter() + seconds
        left = iter(range(requests if requests is not None else 1 << 60))

        async def client() -> None:
            while not enough() and time.perf_counter() < end and next(left, None) is not None:
                await self._ask(line, next(asks))

        async with self._open(clients) as line:
            await asyncio.gather(*(client() for _ in range(clients)))
        return self.heard

    async def at_rate(self, asks: Iterator[Ask], *, rate: float, seconds: float) -> Heard:
        """So many requests a second, at random times (a Poisson process), whether or not any is answered; fewer where
        this process cannot ask as fast, never for longer than `seconds`.
        """
        chance, under_way, idle = random.Random(0), set[asyncio.Task[None]](), list[_Line]()
        began, due = time.perf_counter(), 0.0
        while (due := due + chance.expovariate(rate)) < seconds and time.perf_counter() - began < seconds:
            await asyncio.sleep(max(began + due - time.perf_counter(), 0))
            task = asyncio.create_task(self._ask_lightly(idle, next(asks)))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)
        for line in idle:
            line.close()
        return self.heard

    async def _ask_lightly(self, idle: list[_Line], ask: Ask) -> None:
        """As `_ask`, at a tenth of its cost; the body of a reply is not looked at."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(_LONGEST):
                while idle and not idle[-1].fresh:
                    idle.pop().close()
                line = idle.pop() if idle else await _Line.opened(self._url)
                status, headers = await line.post(*ask)
        except (OSError, EOFError, TimeoutError) as error:
            self.heard.failed[type(error).__name__] += 1
            return
        if headers.get("connection", "").lower() == "close":
            line.close()
        else:
            idle.append(line)
        self._note(status, headers, time.perf_counter() - began)

    def _note(self, status: int, headers: Mapping[str, str], spent: float) -> None:
        self.heard.statuses[status] += 1
        self.heard.seconds.setdefault(status, []).append(spent)
        self.heard.hits += headers.get("x-cache") == "hit"
        if status in (429, 503) and not headers.get("retry-after", "").isdigit():
            self.heard.impolite += 1

    def _open(self, connections: int) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        return httpx.AsyncClient(base_url=self._url, timeout=120, limits=limits)

    async def _ask(self, line: httpx.AsyncClient, ask: Ask) -> None:
        path, body = ask
        began = time.perf_counter()
        try:
            async with asyncio.timeout(_LONGEST):  # a stream may send heartbeats for ever
                reply = await line.post(path, json=body)
        except (httpx.HTTPError, TimeoutError) as error:
            self.heard.failed[type(error).__name__] += 1
            return
        self._note(reply.status_code, reply.headers, time.perf_counter() - began)
        if reply.status_code == 200 and self._keep:
            self.heard.replies += [(path, each) for each in rationales_in(reply)]
        if reply.status_code == 200 and body.get("stream") and "event: done" not in reply.text:
            self.heard.failed["stream without an end"] += 1


class _Line:
    """A connection that takes one request after another, for replies that tell their length."""

    def __init__(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host, self._reader, self._writer = host, reader, writer
        self._used = time.perf_counter()

    @classmethod
    async def opened(cls, url: str) -> _Line:
        at = urlsplit(url)
        return cls(at.netloc, *await asyncio.open_connection(at.hostname, at.port))

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str]]:
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
        self._writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        await self._reader.readexactly(int(headers["content-length"]))
        self._used = time.perf_counter()
        return int(status.split()[1]), headers

    @property
    def fresh(self) -> bool:
        """Whether another request may follow: a service closes what is idle for five seconds."""
        return not self._reader.at_eof() and time.perf_counter() - self._used < 3

    def close(self) -> None:
        self._writer.close()


def one_by_one(url: str, asks: Iterator[Ask], *, requests: int) -> Heard:
    """A client of the standard library on one connection, whose own share of a reply's time is next to nothing."""
    heard, line = Heard(), http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    line.connect()
    line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for path, body in itertools.islice(asks, requests):
        data, began = json.dumps(body), time.perf_counter()
        line.request("POST", path, data, {"Content-Type": "application/json"})
        reply = line.getresponse()
        reply.read()
        heard.seconds.setdefault(reply.status, []).append(time.perf_counter() - began)
        heard.statuses[reply.status] += 1
        heard.hits += reply.headers.get("x-cache") == "hit"
    line.close()
    return heard


def rationales_in(reply: httpx.Response) -> list[dict[str, Any]]:
    """Every rationale of a reply: of one, of a stream, of a batch or of recommendations."""
    if reply.headers["content-type"].startswith("text/event-stream"):
        done = reply.text.partition("event: done\ndata: ")[2]
        return [json.loads(done)] if done else []
    body = reply.json()
    entries = body.get("entries") or body.get("recommendations")
    return [body] if entries is None else [each["rationale"] for each in entries if each["rationale"]]


def kill_while_streaming(url: str, body: dict[str, Any]) -> None:
    """A client in a process of its own that is killed once its stream has begun."""
    at = urlsplit(url)
    data = json.dumps(body | {"stream": True})
    head = f"POST /v1/rationales HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(data.encode())}\r\n\r\n{data}"
    command = [sys.executable, "-S", "-c", _DYING, str(at.hostname), str(at.port), head]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        told = client.stdout.readline()
        client.kill()
    if told != b"reading\n":
        raise RuntimeError(f"the stream did not begin: {told!r}")


def waited(holds: Callable[[], bool], *, seconds: float) -> float:
    """Seconds until `holds`; NaN where it did not in time."""
    began = time.perf_counter()
    while not holds():
        if time.perf_counter() - began > seconds:
            return float("nan")
        time.sleep(0.01)
    return time.perf_counter() - began
