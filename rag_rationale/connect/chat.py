"""Our engine as a LangChain chat model: the conversation goes through its GGUF's chat template, on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, SystemMessage, merge_message_runs
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import Field, PrivateAttr

from rag_rationale.config import load_settings
from rag_rationale.errors import BackendError
from rag_rationale.service.opening import open_writer
from rag_rationale.types import Engine, GenerateRequest, Speaker, TokenEvent


class RationaleChatModel(BaseChatModel):
    """A chat model over an engine of this package: streaming, `stop`, usage, and async through threads.

    `engine` is asked if given, and stays its owner's to close; else `model`, as in the setting `llm`, is opened at the
    first call. Greedy at temperature 0; `seed` makes what is drawn above it repeatable. After `timeout` seconds a reply
    ends where it is. Keyword arguments of a call win over the fields. Raises BackendError where the model has no chat
    template, or one that refuses the conversation.
    """

    model: str = "smollm2-135m-instruct"
    engine: Any = Field(default=None, exclude=True, repr=False)
    temperature: float = Field(default=0.0, ge=0)
    max_tokens: int | None = Field(default=256, ge=1)
    timeout: float | None = Field(default=None, gt=0)
    stop: list[str] | None = None
    seed: int = 0
    _opened: Engine | None = PrivateAttr(default=None)
    _lock: Any = PrivateAttr(default_factory=Lock)

    @property
    def _llm_type(self) -> str:
        return "rag-rationale"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed}

    def close(self) -> None:
        """Free the engine that was opened for `model`; one that was given stays open."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        engine = self._engine()
        for event in engine.generate(self._request(messages, stop, kwargs)):
            chunk = ChatGenerationChunk(message=_message(event, engine.name))
            if run_manager is not None:
                run_manager.on_llm_new_token(event.text, chunk=chunk)
            yield chunk

    def _request(
        self, messages: Sequence[BaseMessage], stop: Sequence[str] | None, given: dict[str, Any]
    ) -> GenerateRequest:
        timeout = given.get("timeout", self.timeout)
        return GenerateRequest(
            "",
            max_tokens=given.get("max_tokens", self.max_tokens) or self._engine().context_tokens,
            stop=tuple(stop or self.stop or ()),
            temperature=given.get("temperature", self.temperature),
            seed=given.get("seed", self.seed),
            deadline_ms=None if timeout is None else int(1000 * timeout),
            messages=tuple((_speaker(m), str(m.text)) for m in merge_message_runs(messages)),
        )

    def _engine(self) -> Engine:
        with self._lock:
            if self.engine is None and self._opened is None:
                self._opened = open_writer(load_settings(llm=self.model))
            engine: Engine = self._opened if self.engine is None else self.engine  # type: ignore[assignment]
        if "chat" not in engine.capabilities:
            raise BackendError(
                f"{engine.name} has no chat template.", remedy="Take an instruct model, such as smollm2-135m-instruct."
            )
        return engine


def _speaker(message: BaseMessage) -> Speaker:
    """A tool's message is read as the user's: these models know no tools."""
    if isinstance(message, SystemMessage):
        return "system"
    return "assistant" if isinstance(message, AIMessage) else "user"


def _message(event: TokenEvent, name: str) -> AIMessageChunk:
    if event.finish is None:
        return AIMessageChunk(content=event.text)
    usage = None
    if event.usage is not None:
        asked, written = event.usage.prompt, event.usage.written
        usage = UsageMetadata(input_tokens=asked, output_tokens=written, total_tokens=asked + written)
    reason = "length" if event.finish in ("length", "deadline") else "stop"
    told = {"finish_reason": reason, "model_name": name, "model_provider": "rag-rationale"}
    return AIMessageChunk(content=event.text, usage_metadata=usage, response_metadata=told, chunk_position="last")
