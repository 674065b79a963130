"""What operators see: Prometheus metrics, OpenTelemetry spans, and one JSON line per request.

None of them ever holds a text of a review, of a prompt or of a reply, nor a user's id.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Any, TypeVar

from opentelemetry import propagate, trace
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag_rationale.errors import SettingsError
from rag_rationale.service import Answers, Step
from rag_rationale.types import Rationale

REQUESTS = logging.getLogger("rag_rationale.requests")
_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_tracer = trace.get_tracer("rag_rationale")

T = TypeVar("T")


def export_spans() -> None:
    """Send spans to where OTEL_EXPORTER_OTLP_ENDPOINT says; without it none are made.

    SettingsError where it is set and the extra that exports is not installed.
    """
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and nothing here can export spans.",
            remedy="pip install 'rag-rationale[otel]', or take the variable out.",
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.name": "rag-rationale"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


class Metrics:
    """The metrics of one service, in a registry of their own."""

    def __init__(self, answers: Answers, *, waiting: Callable[[], int], running: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        made: dict[str, Any] = {"namespace": "rag_rationale", "registry": self.registry}
        self.requests = Counter("requests", "Replies by route and status.", ["route", "status"], **made)
        self.seconds = Histogram(
            "request_seconds", "From request to end of reply.", ["route"], buckets=_SECONDS, **made
        )
        self.stages = Histogram(
            "stage_seconds", "Time by stage of what was written.", ["stage"], buckets=_SECONDS, **made
        )
        self.rationales = Counter(
            "rationales",
            "Rationales by outcome.",
            ["status", "reason", "language", "degraded"],
            **made,
        )
        self.sentences = Counter("sentences", "Verified sentences served.", ["kind", "mode", "tier"], **made)
        self.verdicts = Counter("verdicts", "Drafts judged, by verdict.", ["verdict"], **made)
        self.cache = Counter("cache_lookups", "Rationales out of the cache or not.", ["outcome"], **made)
        Gauge("queue_waiting", "Requests without a thread yet.", **made).set_function(waiting)
        Gauge("queue_running", "Requests with a thread.", **made).set_function(running)
        self.registry.register(_Held(answers))

    def saw(self, step: Step) -> None:
        """Count a step of an answer."""
        if step.rationale is None:
            return
        reply = step.rationale
        self.cache.labels("hit" if step.cached else "miss").inc()
        self.rationales.labels(reply.status, reply.reason or "", reply.language, str(reply.degraded).lower()).inc()
        for sentence in reply.sentences:
            self.sentences.labels(sentence.kind, sentence.mode, sentence.tier).inc()
        for verdict, count in step.verdicts.items():
            self.verdicts.labels(verdict).inc(count)
        if not step.cached:
            for stage in ("retrieve", "write", "verify"):
                self.stages.labels(stage).observe(getattr(reply.timings_ms, stage) / 1000)


class _Held(Collector):
    """What engine, cache and indexes tell when they are asked."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def collect(self) -> Iterable[Metric]:
        explainer, cache = self._answers.explainer, self._answers.cache
        tokens = getattr(explainer.engine, "evaluated_tokens", None)
        if isinstance(tokens, int):
            yield CounterMetricFamily("rag_rationale_engine_tokens", "Tokens run through the writer.", value=tokens)
        jobs = getattr(explainer.engine, "jobs", None)
        if isinstance(jobs, int):
            yield GaugeMetricFamily("rag_rationale_engine_jobs", "Jobs in the writer, waiting or at work.", value=jobs)
        if cache is not None:
            yield GaugeMetricFamily("rag_rationale_cache_bytes", "Bytes of cached rationales.", value=cache.size)
        told = GaugeMetricFamily("rag_rationale_index_info", "The version that answers.", labels=["index", "version"])
        for manifest in explainer.snapshots.opened():
            told.add_metric([manifest.name, manifest.version], 1)
        yield told


class Telemetry:
    """Times every request, gives it an id, and tells of it once it is over."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers, began, status = Headers(scope=scope), time.perf_counter(), 500
        given = headers.get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)
        scope["told"] = {}

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        with _tracer.start_as_current_span(
            scope["method"], context=propagate.extract(dict(headers)), kind=trace.SpanKind.SERVER
        ) as span:
            try:
                await self._app(scope, receive, noted)
            finally:
                spent = time.perf_counter() - began
                route = scope["told"].pop("route", None) or getattr(scope.get("route"), "path", "none")
                span.update_name(f"{scope['method']} {route}")
                span.set_attributes({"http.route": route, "http.response.status_code": status})
                self._metrics.requests.labels(route, str(status)).inc()
                self._metrics.seconds.labels(route).observe(spent)
                self._tell(scope, request_id, route, status, spent, span)

    def _tell(self, scope: Scope, request_id: str, route: str, status: int, spent: float, span: trace.Span) -> None:
        reader, context = scope.get("reader"), span.get_span_context()
        line = {
            "time": round(time.time(), 3),
            "request": request_id,
            "method": scope["method"],
            "route": route,
            "status": status,
            "ms": round(spent * 1000, 2),
            "key": reader.id if reader else "",
            **({"trace": f"{context.trace_id:032x}"} if context.is_valid else {}),
            **scope["told"],
        }
        REQUESTS.info(json.dumps(line))


def told_of(reply: Rationale, *, cached: bool) -> dict[str, object]:
    """What a line of the log tells of a rationale: ids, outcome and times."""
    return {
        "rationale": reply.id,
        "status": reply.status,
        "reason": reply.reason,
        "degraded": reply.degraded,
        "cached": cached,
        "index": reply.provenance.index,
        "template": reply.provenance.template,
        "timings_ms": reply.timings_ms.model_dump(),
    }


async def watched(
    steps: AsyncGenerator[T | None, None], metrics: Metrics, scope: Scope
) -> AsyncGenerator[T | None, None]:
    """The steps unchanged, counted and noted for the log. A step is one, or comes with its position."""
    async with aclosing(steps):
        async for made in steps:
            step = made[1] if isinstance(made, tuple) else made
            if isinstance(step, Step) and step.rationale is not None:
                metrics.saw(step)
                scope["told"].setdefault("rationales", []).append(told_of(step.rationale, cached=step.cached))
            yield made


def traced(steps: Iterator[T]) -> Iterator[T]:
    """The steps unchanged, each with a span from the one before it to itself."""
    while True:
        began = time.time_ns()
        made = next(steps, None)
        if made is None:
            return
        step = made[1] if isinstance(made, tuple) else made
        name = {"evidence": "retrieve", "sentence": "write sentence", "done": "assemble"}
        kind = name.get(step.kind, "") if isinstance(step, Step) else "fail"
        _tracer.start_span(kind, start_time=began).end()
        yield made
