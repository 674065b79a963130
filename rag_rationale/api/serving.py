"""One process that listens: binds, says where and with what, and runs until it is told to stop."""

from __future__ import annotations

import ipaddress
import socket
import sys

import uvicorn

from rag_rationale.api.app import create_app
from rag_rationale.api.keys import Keys
from rag_rationale.api.readiness import open_indexes
from rag_rationale.errors import SettingsError
from rag_rationale.service import Answers, Explainer

_SWITCH = 0.0005  # seconds a thread may keep the others waiting: with 5 ms, four at work made refusals wait for 20
_GRACE = 10  # seconds that open requests have once the server is told to stop


def serve(
    explainer: Explainer, host: str, port: int, *, answers: Answers | None = None, keys: Keys | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; says on standard error where it listens and what it has loaded.

    Port 0 picks a free one. SettingsError where the address cannot be had, or is open to others without a key.
    The explainer stays the caller's to close.
    """
    server, bound = open_server(explainer, host, port, answers=answers, keys=keys)
    sys.setswitchinterval(_SWITCH)
    with bound:
        for line in _introduction(explainer, bound):
            print(line, file=sys.stderr, flush=True)
        server.run(sockets=[bound])


def open_server(
    explainer: Explainer, host: str, port: int, *, answers: Answers | None = None, keys: Keys | None = None
) -> tuple[uvicorn.Server, socket.socket]:
    """A server that is not running yet, and the socket it shall listen on, bound already. Errors as in `serve`."""
    bound = _bind(host, port, guarded=bool(explainer.settings.admin_token or (keys and keys.all())))
    public = not ipaddress.ip_address(bound.getsockname()[0]).is_loopback
    config = uvicorn.Config(
        create_app(explainer, answers=answers, keys=keys, keys_required=public),
        log_level=explainer.settings.log_level,
        access_log=False,  # its lines would hold user ids
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        workers=1,
    )
    return uvicorn.Server(config), bound


def _bind(host: str, port: int, *, guarded: bool) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"Host {host!r} is no address: {error}.", remedy="Set RAG_RATIONALE_HOST.") from error
    family, _, _, _, address = min(found, key=lambda each: each[0])  # IPv4 first
    if not (guarded or ipaddress.ip_address(address[0]).is_loopback):
        raise SettingsError(
            f"Host {host!r} is reachable from other machines and there is no key.",
            remedy="Make one with `rag-rationale keys new NAME`, or set RAG_RATIONALE_HOST to 127.0.0.1.",
        )
    try:
        bound = socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host}:{port}: {error.strerror}.", remedy="Free the port, or set RAG_RATIONALE_PORT."
        ) from error
    # Connections inherit it. asyncio would not set it: create_server leaves `proto` 0, and replies then wait 40 ms.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


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
