"""Who may ask, and how often: keys, scopes and rates, before a body is read."""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from rag_rationale.api.keys import Key, Keys
from rag_rationale.api.problems import ForbiddenError, RateError, UnauthorisedError, as_reply
from rag_rationale.errors import SettingsError

_GUARDED = ("/v1/", "/metrics")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: the id of a key, "admin" for the admin token, "" for nobody in particular, who is a `stranger` where
    keys are asked for.
    """

    id: str
    admin: bool
    stranger: bool


def reader_of(request: Request) -> Reader:
    """Who asks, as the guard found out."""
    found: Reader = request.scope["reader"]
    return found


def admin_only(request: Request) -> None:
    """A dependency of routes that only an admin key opens."""
    if not reader_of(request).admin:
        raise ForbiddenError(
            "This needs an admin key.", remedy="Make one: `rag-rationale keys new NAME --scope admin`."
        )


class Rates:
    """How often each key may ask. `usual` is like "600/minute", or "" for no limit; else SettingsError."""

    def __init__(self, usual: str) -> None:
        self._usual = _limit(usual)
        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._own: dict[str, RateLimitItem | None] = {}

    def spend(self, key: Key | None, cost: int = 1) -> None:
        """Count `cost` requests of a key. RateError, with the seconds to wait, where they are too many."""
        if key is None:
            return
        limit = self._usual if key.rate is None else self._own.setdefault(key.rate, _limit(key.rate))
        if limit is not None and not self._window.hit(limit, key.id, cost=min(cost, limit.amount)):
            wait = self._window.get_window_stats(limit, key.id).reset_time - time.time()
            raise RateError(
                f"More than {limit.amount} requests per {limit.get_expiry()} s.",
                remedy="Wait as long as `Retry-After` says.",
                wait=max(1, math.ceil(wait)),
            )


class Guard:
    """Lets nobody in without a key where keys are `required` or there has been one: a file of keys that goes missing
    opens no door. Elsewhere whoever shows none is let in to read.
    """

    def __init__(
        self, app: ASGIApp, *, keys: Keys | None, admin_token: str | None, required: bool, rates: Rates
    ) -> None:
        self._app, self._keys, self._token, self._rates = app, keys, admin_token, rates
        self._required = required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/healthz":  # a process lives, whatever became of its keys
            await self._app(scope, receive, send)
            return
        shown = _bearer(Headers(scope=scope))
        key = self._keys.find(shown) if self._keys and shown else None
        admin = (key is not None and key.scope == "admin") or self._is_token(shown)
        self._required = self._required or bool(self._keys and self._keys.all())
        reader = Reader(key.id if key else "admin" if admin else "", admin, self._required and not (key or admin))
        scope["reader"], scope["key"] = reader, key
        if scope["path"].startswith(_GUARDED):
            try:
                self._admit(reader)
                self._rates.spend(key)
            except (UnauthorisedError, RateError) as error:
                await as_reply(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    @staticmethod
    def _admit(reader: Reader) -> None:
        if reader.stranger:
            raise UnauthorisedError(
                "This service asks for a key.", remedy="Send `Authorization: Bearer KEY`; its operator gives keys out."
            )

    def _is_token(self, shown: str | None) -> bool:
        return bool(shown and self._token) and hmac.compare_digest(_bytes(shown), _bytes(self._token))


def spend_more(request: Request, cost: int) -> None:
    """Count what a request asks beyond one rationale. RateError as of `Rates.spend`."""
    rates: Rates = request.app.state.rates
    if cost > 0:
        rates.spend(request.scope["key"], cost)


def _bearer(headers: Mapping[str, Any]) -> str | None:
    scheme, _, credentials = str(headers.get("authorization", "")).partition(" ")
    return credentials.strip() or None if scheme.lower() == "bearer" else None


def _bytes(text: str | None) -> bytes:
    return (text or "").encode("utf-8", "replace")


def _limit(text: str) -> RateLimitItem | None:
    if not text:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} is no rate: {error}.", remedy='Write it like "600/minute".') from error
