"""The explainer as a LangChain Runnable: requests in, rationales out, with LangChain's configs, callbacks and async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig, run_in_executor
from pydantic import ValidationError

from rag_rationale.errors import InvalidRequestError
from rag_rationale.service import Explainer
from rag_rationale.types import Rationale, RationaleRequest, Sentence

Request = RationaleRequest | dict[str, Any]
Chunk = Sentence | Rationale


class ExplainerRunnable(Runnable[Request, Rationale]):
    """Explains a request, given as a RationaleRequest or as its fields in a dict.

    `invoke` and `batch` return rationales, in the order of the requests. `stream` and `astream` yield each verified
    Sentence as it comes and the whole Rationale last, so that what follows in a chain, which works on the last chunk of
    what cannot be added up, gets what `invoke` would have given it. `exclude` and `as_of` pass through to
    `Explainer.explain`, also by `bind`. Raises InvalidRequestError where a dict is no request, and what `explain` does.
    """

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer

    @property
    def InputType(self) -> type[RationaleRequest]:  # noqa: N802  (LangChain's name)
        return RationaleRequest

    @property
    def OutputType(self) -> type[Rationale]:  # noqa: N802
        return Rationale

    def invoke(self, input: Request, config: RunnableConfig | None = None, **kwargs: Any) -> Rationale:
        """The rationale for one request."""
        return self._call_with_config(self._explain, input, config, **kwargs)

    def stream(  # type: ignore[override]  # LangChain types a stream as made of outputs; its parts are sentences
        self, input: Request, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Chunk]:
        """Verified sentences as they come, then the rationale."""
        return self._transform_stream_with_config(iter([input]), self._chunks, config, **kwargs)  # type: ignore[arg-type]

    async def astream(  # type: ignore[override]
        self, input: Request, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Chunk]:
        """As `stream`; each step runs in the config's executor, so the event loop is never held up."""

        async def chunks(inputs: AsyncIterator[Request], **kwargs: Any) -> AsyncIterator[Chunk]:
            steps = self._chunks(iter([await anext(inputs)]), **kwargs)
            while (chunk := await run_in_executor(config, next, steps, None)) is not None:
                yield chunk

        async for chunk in self._atransform_stream_with_config(_only(input), chunks, config, **kwargs):  # type: ignore[arg-type]
            yield chunk

    def _explain(self, request: Request, **kwargs: Any) -> Rationale:
        return self._explainer.explain(_parsed(request), **kwargs)

    def _chunks(self, requests: Iterator[Request], **kwargs: Any) -> Iterator[Chunk]:
        for step in self._explainer.steps(_parsed(next(requests)), **kwargs):
            chunk = step.sentence or step.rationale
            if chunk is not None:
                yield chunk


async def _only(request: Request) -> AsyncIterator[Request]:
    yield request


def _parsed(request: Request) -> RationaleRequest:
    if isinstance(request, RationaleRequest):
        return request
    if not isinstance(request, Mapping):
        raise InvalidRequestError(
            f"A {type(request).__name__} is no request.", remedy="Give a RationaleRequest or a dict of its fields."
        )
    try:
        return RationaleRequest.model_validate(request)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "(request)"
        raise InvalidRequestError(
            f"Field '{field}' of the request is {first['input']!r}: {first['msg']}.", remedy="Correct it."
        ) from error
