"""More generated requests than the gate has time for: from our description, and from OpenAI's own."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.openai_spec import FILE, chat_document
from tests.gateway.conftest import scripted_gateway
from tests.gateway.described import check, operations

OPERATIONS = operations(["auto", "auto:cheap", "nano", "no-such"])
N_BODIES = 120
MODES = list(schemathesis.GenerationMode)


@pytest.fixture(scope="module")
def scripted():
    with scripted_gateway({}, cache={}) as served:
        yield served


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name.lower())
@pytest.mark.parametrize("label", [label for label, each in OPERATIONS.items() if each.body or each.query])
def test_answers_are_as_described(scripted, label, mode):
    assert check(OPERATIONS[label], scripted.url, mode) > 0


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name.lower())
def test_bodies_of_openais_description_are_no_server_error(scripted, mode):
    if not FILE.exists():
        pytest.skip(f"OpenAI's description is not there: {FILE}")
    schema = schemathesis.openapi.from_dict(chat_document())
    operation = next(schema.get_all_operations()).ok()
    statuses = []

    @given(
        case=operation.as_strategy(generation_mode=mode), path=st.sampled_from(["chat/completions", "route"])
    )
    @settings(max_examples=N_BODIES, database=None, suppress_health_check=list(HealthCheck))
    def send(case, path):
        case.path = f"/v1/{path}"
        answer = case.call(base_url=scripted.url, timeout=20)
        assert answer.status_code < 500, answer.text[:500]
        if answer.status_code >= 400:
            assert answer.json()["error"]["code"], answer.text[:500]
        statuses.append(answer.status_code)

    send()
    assert len(statuses) > N_BODIES / 2
    if mode is schemathesis.GenerationMode.POSITIVE:
        assert 200 in statuses  # not all is refused before it gets anywhere
