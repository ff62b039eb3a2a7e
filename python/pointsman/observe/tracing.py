"""OpenTelemetry spans and metrics of requests, named as the GenAI semantic conventions name them.

Only the API is needed. Without an SDK (`opentelemetry-instrument pointsman serve` brings one) nothing is
made, at the cost of two look-ups a request. Spans are made when a request has ended, with the times it had,
so that the reply never waits for them.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from opentelemetry import context, metrics, trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import ProxyTracerProvider, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram

    from pointsman.types import Served

_NAME = "pointsman"
_ASK_EVERY_S = 1.0
_PROPAGATOR = TraceContextTextMapPropagator()
# As the conventions advise.
_TOKEN_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
_SECOND_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)


class in_trace:
    """Makes the caller's span (W3C `traceparent`) the parent of what is traced inside, if there is an SDK."""

    __slots__ = ("_headers", "_token")

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._headers = headers
        self._token: Token[Context] | None = None

    def __enter__(self) -> None:
        if PRESENCE.is_tracing:
            carrier = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in self._headers
                if name in (b"traceparent", b"tracestate")
            }
            self._token = context.attach(_PROPAGATOR.extract(carrier)) if carrier else None

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            context.detach(self._token)


class Presence:
    """Whether an SDK was set up. That none is there is believed for a second."""

    __slots__ = ("_ask_at_s", "_is_metering", "_is_tracing")

    def __init__(self) -> None:
        self._ask_at_s = 0.0
        self._is_tracing = False
        self._is_metering = False

    @property
    def is_tracing(self) -> bool:
        """Whether one takes spans."""
        if not self._is_tracing and monotonic() >= self._ask_at_s:
            self._ask()
        return self._is_tracing

    @property
    def is_metering(self) -> bool:
        """Whether one takes metrics."""
        if not self._is_metering and monotonic() >= self._ask_at_s:
            self._ask()
        return self._is_metering

    def _ask(self) -> None:
        self._ask_at_s = monotonic() + _ASK_EVERY_S
        tracers, meters = trace.get_tracer_provider(), metrics.get_meter_provider()
        self._is_tracing = not isinstance(tracers, ProxyTracerProvider | trace.NoOpTracerProvider)
        is_proxy = type(meters).__name__ == "_ProxyMeterProvider"
        self._is_metering = not isinstance(meters, NoOpMeterProvider) and not is_proxy


PRESENCE = Presence()


class OpenTelemetryObserver:
    """Tells OpenTelemetry of requests: a span each, with a child a call, and the GenAI client metrics."""

    wants_answers = False

    def __init__(self) -> None:
        self._instruments: tuple[Histogram, Histogram, Histogram] | None = None

    def served(self, served: Served) -> None:
        """Tell of a request."""
        if PRESENCE.is_tracing:
            self._trace(served)
        if PRESENCE.is_metering:
            self._meter(served)

    def _trace(self, served: Served) -> None:
        tracer = trace.get_tracer(_NAME)
        start_ns = int(served.started_at_s * 1e9)
        span = tracer.start_span(
            f"{served.operation} {served.body.get('model')!s:.100}",
            kind=SpanKind.CLIENT,
            start_time=start_ns,
            attributes=attributes_of(served),
        )
        if span.is_recording():
            self._trace_attempts(served, trace.set_span_in_context(span), start_ns)
            if served.error_code is not None:
                span.set_status(Status(StatusCode.ERROR, served.error_code))
        span.end(start_ns + int(served.latency_ms * 1e6))

    def _trace_attempts(self, served: Served, parent: Context, start_ns: int) -> None:
        """A span a call. Calls are known by how long they took: they follow each other from the start on."""
        tracer, decision = trace.get_tracer(_NAME), served.decision
        for number, attempt in enumerate(served.attempts, start=1):
            end_ns = start_ns + int(attempt.latency_ms * 1e6)
            attributes: dict[str, str | int] = {
                "gen_ai.operation.name": served.operation,
                "gen_ai.provider.name": decision.provider_of(attempt.deployment),
                "gen_ai.request.model": decision.model_of(attempt.deployment),
                "pointsman.deployment": attempt.deployment,
                "pointsman.attempt": number,
            }
            if attempt.status is not None:
                attributes["http.response.status_code"] = attempt.status
            if attempt.error_code is not None:
                attributes["error.type"] = attempt.error_code
            span = tracer.start_span(
                f"attempt {attempt.deployment}", parent, SpanKind.CLIENT, attributes, start_time=start_ns
            )
            if attempt.error_code is not None:
                span.set_status(Status(StatusCode.ERROR, attempt.error_code))
            span.end(end_ns)
            start_ns = end_ns

    def _meter(self, served: Served) -> None:
        duration, tokens, first = self._instruments or self._made()
        shared = {
            "gen_ai.operation.name": served.operation,
            "gen_ai.provider.name": served.provider or served.decision.provider,
            "gen_ai.request.model": served.decision.model,
        }
        if served.model is not None:
            shared["gen_ai.response.model"] = served.model
        if served.usage is not None and not served.cache.is_hit:
            tokens.record(served.usage.n_input_tokens, {**shared, "gen_ai.token.type": "input"})
            tokens.record(served.usage.n_output_tokens, {**shared, "gen_ai.token.type": "output"})
        if served.ttft_ms is not None:
            first.record(served.ttft_ms / 1e3, shared)
        if served.error_code is not None:
            shared["error.type"] = served.error_code
        duration.record(served.latency_ms / 1e3, shared)

    def _made(self) -> tuple[Histogram, Histogram, Histogram]:
        meter = metrics.get_meter(_NAME)
        client = "gen_ai.client"
        self._instruments = (
            meter.create_histogram(
                f"{client}.operation.duration", "s", "Duration of an operation.",
                explicit_bucket_boundaries_advisory=_SECOND_BUCKETS,
            ),
            meter.create_histogram(
                f"{client}.token.usage", "{token}", "Input and output tokens used.",
                explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
            ),
            meter.create_histogram(
                f"{client}.operation.time_to_first_chunk", "s", "Time to the first chunk of a stream.",
                explicit_bucket_boundaries_advisory=_SECOND_BUCKETS,
            ),
        )  # fmt: skip
        return self._instruments


def attributes_of(served: Served) -> dict[str, Any]:
    """The attributes of a request's span, without content: GenAI's, and `pointsman.*` for the rest."""
    decision, body, usage = served.decision, served.body, served.usage
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": served.operation,
        "gen_ai.provider.name": served.provider or decision.provider,
        "gen_ai.request.model": f"{body.get('model')!s:.200}",
        "gen_ai.request.stream": served.is_stream,
        "pointsman.decision_id": decision.decision_id,
        "pointsman.policy": served.policy,
        "pointsman.policy_version": decision.policy_version,
        "pointsman.strategy": decision.strategy,
        "pointsman.cache": served.cache.status,
        "pointsman.cost_usd": served.cost_usd,
        "pointsman.baseline_cost_usd": served.baseline_cost_usd,
        "pointsman.overhead_us": served.overhead_us,
        "pointsman.complexity": decision.complexity,
        "pointsman.domain": decision.domain,
    }
    maybe: dict[str, Any] = {
        "gen_ai.request.max_tokens": served.request.max_output_tokens,
        "gen_ai.request.choice.count": served.request.n_choices if served.request.n_choices > 1 else None,
        "gen_ai.response.model": served.model,
        "gen_ai.usage.input_tokens": usage.n_input_tokens if usage else None,
        "gen_ai.usage.output_tokens": usage.n_output_tokens if usage else None,
        "gen_ai.usage.cache_read.input_tokens": usage.n_cached_input_tokens if usage else None,
        "gen_ai.response.time_to_first_chunk": None if served.ttft_ms is None else served.ttft_ms / 1e3,
        "gen_ai.conversation.id": served.request.constraints.session_id,
        "error.type": served.error_code,
        "pointsman.deployment": served.deployment,
        "pointsman.tenant": served.request.tenant,
        "pointsman.key_id": served.key_id,
    }
    for name in ("temperature", "top_p"):
        if isinstance(value := body.get(name), int | float):
            maybe[f"gen_ai.request.{name}"] = float(value)
    return attributes | {name: value for name, value in maybe.items() if value is not None}
