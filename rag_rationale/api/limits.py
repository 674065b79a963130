"""What a request may not be: larger than a bound, too slow, or one too many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag_rationale.api.problems import BusyError, as_reply, as_response, problem_of

LARGEST_BODY = 1 << 20
BODY_SECONDS = 20.0
"""Seconds that a body may take: the largest one at 50 kB/s."""


class Room:
    """Answers 503 while as many requests are under way as may be, before a body is read: refusing costs little.

    `check` raises BusyError then. Only the routes that write are asked about.
    """

    def __init__(self, app: ASGIApp, *, check: Callable[[], None], routes: Collection[str]) -> None:
        self._app, self._check, self._routes = app, check, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._routes:
            try:
                self._check()
            except BusyError as error:
                scope["told"]["route"] = scope["path"]
                return await as_reply(error)(scope, receive, send)
        return await self._app(scope, receive, send)


class BodyLimit:
    """Answers 413 to a body over `largest` bytes, by its Content-Length before reading, else as soon as it is over; and
    408 to one that is not whole after BODY_SECONDS.
    """

    def __init__(self, app: ASGIApp, largest: int = LARGEST_BODY) -> None:
        self._app, self._largest = app, largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if any(size > self._largest for size in _declared(scope)):
            return await as_response(problem_of(self._refusal()))(scope, receive, send)
        received, whole = 0, False
        end = asyncio.get_running_loop().time() + BODY_SECONDS

        async def counted() -> Message:
            nonlocal received, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(end):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    408, f"The body was not whole after {BODY_SECONDS:g} s.", headers={"Connection": "close"}
                ) from None
            received += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if received > self._largest:
                raise self._refusal()
            return message

        return await self._app(scope, counted, send)

    def _refusal(self) -> HTTPException:
        return HTTPException(413, f"The body is larger than {self._largest} bytes.", headers={"Connection": "close"})


def _declared(scope: Scope) -> list[int]:
    return [int(value) for name, value in scope["headers"] if name == b"content-length" and value.isdigit()]
