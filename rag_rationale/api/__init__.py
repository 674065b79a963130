"""The HTTP API over an explainer, and the server that speaks it."""

from rag_rationale.api.app import create_app
from rag_rationale.api.keys import Key, Keys, Scope
from rag_rationale.api.serving import bind, open_server, serve

__all__ = ["Key", "Keys", "Scope", "bind", "create_app", "open_server", "serve"]
