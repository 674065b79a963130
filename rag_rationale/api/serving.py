"""One process that listens: binds, says where and with what, and runs until it is told to stop."""

from __future__ import annotations

import faulthandler
import ipaddress
import socket
import sys
from types import FrameType

import uvicorn

from rag_rationale.api.app import create_app
from rag_rationale.api.connections import Connection
from rag_rationale.api.keys import Keys
from rag_rationale.api.readiness import open_indexes
from rag_rationale.config import Settings
from rag_rationale.errors import SettingsError
from rag_rationale.service import Answers, Explainer

_SWITCH = 0.0005  # seconds a thread may keep the others waiting: with 5 ms, four at work made refusals wait for 20
_GRACE = 10  # seconds that open requests have once the server is told to stop
_LONGEST_END = 25  # seconds after which a process that was told to stop is ended, whatever holds it


class Server(uvicorn.Server):
    """A server whose process ends in time once a signal tells it to.

    A thread inside an engine that hangs, or a library's at the end of the interpreter, can hold a process for ever:
    then it says on standard error where each thread stands, and exits with 1.
    """

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            faulthandler.dump_traceback_later(_LONGEST_END, exit=True)
        super().handle_exit(sig, frame)


def bind(settings: Settings, keys: Keys | None = None) -> socket.socket:
    """A socket at the address of the settings, not listening yet; port 0 picks a free one.

    SettingsError where the address cannot be had, or is open to others while there is neither a key nor an admin token.
    """
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"Host {host!r} is no address: {error}.", remedy="Set RAG_RATIONALE_HOST.") from error
    family, _, _, _, address = min(found, key=lambda each: each[0])  # IPv4 first
    guarded = bool(settings.admin_token or (keys and keys.all()))
    if not (guarded or ipaddress.ip_address(address[0]).is_loopback):
        raise SettingsError(
            f"Host {host!r} is reachable from other machines and there is no key.",
            remedy="Make one with `rag-rationale keys new NAME`, or set RAG_RATIONALE_HOST to 127.0.0.1.",
        )
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address[:2])
    except OSError as error:
        bound.close()
        raise SettingsError(
            f"Cannot listen on {host}:{port}: {error.strerror}.", remedy="Free the port, or set RAG_RATIONALE_PORT."
        ) from error
    # Connections inherit it. asyncio would not set it: `proto` is 0 here, and replies then wait 40 ms.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def serve(
    explainer: Explainer, bound: socket.socket, *, answers: Answers | None = None, keys: Keys | None = None
) -> None:
    """Serve on a socket of `bind` until SIGINT or SIGTERM, then close it.

    Says on standard error where it listens and what it has loaded. The explainer stays the caller's to close.
    """
    server = open_server(explainer, bound, answers=answers, keys=keys)
    sys.setswitchinterval(_SWITCH)
    with bound:
        for line in _introduction(explainer, bound):
            print(line, file=sys.stderr, flush=True)
        server.run(sockets=[bound])


def open_server(
    explainer: Explainer, bound: socket.socket, *, answers: Answers | None = None, keys: Keys | None = None
) -> Server:
    """A server that is not running yet, for a socket of `bind`, which from now on keeps who comes waiting.

    Everybody needs a key where others can reach it.
    """
    bound.listen(128)
    public = not ipaddress.ip_address(bound.getsockname()[0]).is_loopback
    config = uvicorn.Config(
        create_app(explainer, answers=answers, keys=keys, keys_required=public),
        http=Connection,
        ws="none",
        log_level=explainer.settings.log_level,
        access_log=False,  # its lines would hold user ids
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        workers=1,
    )
    return Server(config)


def _introduction(explainer: Explainer, bound: socket.socket) -> list[str]:
    host, port = bound.getsockname()[:2]
    folder = explainer.settings.indexes
    lines = [f"rag-rationale listens on http://{f'[{host}]' if ':' in host else host}:{port}"]
    lines += [f"  model     {explainer.engine.name}"]
    for index in open_indexes(explainer):
        told = f"{index.label} ({index.embedder})" if index.label else f"{index.name} does not open; the log tells why"
        lines.append(f"  index     {told}")
    if len(lines) == 2:
        lines.append(f"  index     none in {folder} yet; build one with `rag-rationale index build`")
    return lines
