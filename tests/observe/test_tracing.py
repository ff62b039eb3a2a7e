"""Spans and metrics as the GenAI conventions name them; nothing at all without an SDK."""

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from pointsman.observe import tracing
from pointsman.observe.tracing import OpenTelemetryObserver, in_trace
from pointsman.providers import Failure

from .requests import SECRET_ANSWER, SECRET_PROMPT, USAGE, ask, routed

PARENT = (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(tracing, "PRESENCE", tracing.Presence())


@pytest.fixture
def exporter(monkeypatch):
    """An SDK that is there for one test only."""
    found = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(found))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(trace, "get_tracer", lambda name: provider.get_tracer(name))
    yield found
    provider.shutdown()


@pytest.fixture
def reader(monkeypatch):
    found = InMemoryMetricReader()
    provider = MeterProvider([found], shutdown_on_exit=False)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: provider)
    monkeypatch.setattr(metrics, "get_meter", lambda name: provider.get_meter(name))
    yield found
    provider.shutdown()


async def test_a_request_is_a_span_with_a_child_a_call(exporter):
    router = routed(OpenTelemetryObserver(), script=[Failure(500)])
    await ask(router)
    *attempts, request = exporter.get_finished_spans()
    assert request.name == "chat auto:best"
    assert request.status.status_code is StatusCode.ERROR
    assert request.attributes["error.type"] == "provider_exhausted"
    assert [span.parent.span_id for span in attempts] == [request.context.span_id] * 3
    assert [span.attributes["pointsman.attempt"] for span in attempts] == [1, 2, 3]
    assert {span.attributes["error.type"] for span in attempts} == {"provider_unavailable"}
    assert all(request.start_time <= span.start_time <= span.end_time for span in attempts)


@pytest.mark.parametrize("stream", [False, True])
async def test_attributes_are_the_conventions_and_hold_no_content(exporter, stream):
    router = routed(OpenTelemetryObserver())
    await ask(router, stream=stream)
    attempt, request = exporter.get_finished_spans()
    seen = request.attributes
    assert seen["gen_ai.operation.name"] == "chat"
    assert seen["gen_ai.provider.name"] == "gamma"
    assert (seen["gen_ai.request.model"], seen["gen_ai.response.model"]) == ("auto:best", "frontier")
    assert seen["gen_ai.usage.input_tokens"] == USAGE.n_input_tokens
    assert seen["gen_ai.usage.output_tokens"] == USAGE.n_output_tokens
    assert seen["gen_ai.usage.cache_read.input_tokens"] == USAGE.n_cached_input_tokens
    assert seen["gen_ai.request.temperature"] == 0.5
    assert seen["gen_ai.request.stream"] is stream
    assert ("gen_ai.response.time_to_first_chunk" in seen) is stream
    assert (seen["pointsman.tenant"], seen["pointsman.key_id"]) == ("acme", "k1")
    assert seen["pointsman.decision_id"].startswith("dec_")
    assert attempt.attributes["gen_ai.request.model"] == "frontier"
    everything = request.to_json() + attempt.to_json()
    assert SECRET_PROMPT not in everything
    assert SECRET_ANSWER not in everything


async def test_the_callers_trace_is_continued(exporter):
    router = routed(OpenTelemetryObserver())
    with in_trace([(b"host", b"x"), PARENT]):
        await ask(router)
    await ask(router)
    spans = [span for span in exporter.get_finished_spans() if span.name.startswith("chat")]
    assert spans[0].context.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
    assert spans[0].parent.span_id == 0xB7AD6B7169203331
    assert spans[1].parent is None


async def test_metrics_are_the_conventions(reader):
    router = routed(OpenTelemetryObserver())
    await ask(router, stream=True)
    (scope,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
    found = {metric.name: metric for metric in scope.metrics}
    assert set(found) == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.operation.time_to_first_chunk",
    }
    tokens = found["gen_ai.client.token.usage"].data.data_points
    assert {point.attributes["gen_ai.token.type"]: point.sum for point in tokens} == {
        "input": 100,
        "output": 20,
    }
    assert tokens[0].attributes["gen_ai.response.model"] == "frontier"
    assert found["gen_ai.client.operation.duration"].unit == "s"


async def test_without_an_sdk_nothing_is_made(monkeypatch):
    monkeypatch.setattr(tracing, "attributes_of", None)
    monkeypatch.setattr(OpenTelemetryObserver, "_meter", None)
    assert not tracing.PRESENCE.is_tracing
    assert not tracing.PRESENCE.is_metering
    told = []
    observer = OpenTelemetryObserver()
    monkeypatch.setattr(
        observer, "served", lambda served: told.append(type(observer).served(observer, served))
    )
    with in_trace([PARENT]):
        await ask(routed(observer))
    assert told == [None]
