"""Connections that come to an end: how many there may be, and how long a head or a reply may be on its way.

uvicorn bounds only the time between two requests. The time of a body is bounded in `limits`, where its route is known.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import h11
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

from rag_rationale.api.problems import BusyError, as_reply

MOST = 400
"""Connections at once, those without a request among them. As many again are told so; those beyond are cut off, since a
process may open a thousand files.
"""
HEAD_SECONDS = 10.0
"""From opening a connection, or from the first byte of a later request, to the end of the head."""
REPLY_SECONDS = 30.0
"""That a client may take none of its reply."""
_LINGER_SECONDS = 2.0  # for a client that was refused to read why: closing while it writes would take that from it


class Connection(H11Protocol):
    """A connection as uvicorn's, closed when it is one too many or the client is too slow."""

    _end: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > 2 * MOST:
            transport.abort()
        elif len(self.connections) > MOST:
            self._refuse(BusyError(f"{MOST} connections are open already.", remedy="Try again in a second."))
        else:
            self._within(HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self.flow.write_paused:
            return
        unread = self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete  # nobody will read it
        if self.conn.their_state is h11.IDLE or unread:
            self._within(HEAD_SECONDS)
        else:
            self._in_time()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._within(REPLY_SECONDS)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._in_time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def _within(self, seconds: float) -> None:
        """Close the connection after some seconds; what is awaited already may not take longer."""
        if self._end is None:
            self._end = self.loop.call_later(seconds, self._late)

    def _in_time(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _late(self) -> None:
        self._end = None
        if self.flow.write_paused or self._refused:
            self.transport.abort()  # closing would wait for what it does not take
        elif self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(HTTPException(408, f"The head of a request took over {HEAD_SECONDS:g} s."))
        else:
            self.transport.close()

    def _refuse(self, error: Exception) -> None:
        """Answer outside of any request, and close once the client has."""
        reply = as_reply(error)
        status = f"HTTP/1.1 {reply.status_code} {HTTPStatus(reply.status_code).phrase}".encode()
        lines = [status, *(b": ".join(header) for header in reply.raw_headers), b"connection: close"]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(reply.body))
        self.transport.write_eof()
        self._refused = True
        self._in_time()
        self._within(_LINGER_SECONDS)
