"""Conversations as a model's chat template puts them: Jinja2 out of a GGUF, so it runs in a sandbox.

Knows texts and nothing of tokens, but for how control tokens are written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rag_rationale.errors import BackendError
from rag_rationale.types import Speaker

_CUT = "\ufdd0"  # a code point that is no character: where a text is cut


class ChatTemplate:
    """A template with its `opener` and `ender` (bos and eos), and every `control` token as it is written."""

    def __init__(self, source: str, *, opener: str, ender: str, control: Sequence[str]) -> None:
        self.opener = opener
        self._control = [text for text in control if len(text) > 1]
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
        environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: datetime.now().strftime(form)}
        self._source, self._environment = source, environment
        self._fixed = {"bos_token": opener, "eos_token": ender, "add_generation_prompt": True, "tools": None}

    def pieces(self, messages: Sequence[tuple[Speaker, str]]) -> list[str]:
        """The conversation up to where the assistant speaks next, in pieces to be read one by one: control tokens in
        them are the template's own, since one that a message spells out is cut in two.

        Raises BackendError where the template is broken or refuses these messages.
        """
        shown = [{"role": speaker, "content": self._cut(text)} for speaker, text in messages]
        try:
            text = self._environment.from_string(self._source).render(messages=shown, **self._fixed)
        except TemplateError as error:
            raise BackendError(
                f"The model's chat template refuses this conversation: {error}",
                remedy="Most want user and assistant by turns, and some no system message.",
            ) from error
        return text.split(_CUT)

    def _cut(self, text: str) -> str:
        text = text.replace(_CUT, "")
        for token in self._control:
            text = text.replace(token, f"{token[0]}{_CUT}{token[1:]}")
        return text


def _refuse(reason: Any) -> None:
    raise TemplateError(str(reason))
