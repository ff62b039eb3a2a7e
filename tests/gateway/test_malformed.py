"""Every malformed request gets a clear answer in OpenAI's shape, never a 500 and never a stack trace."""

import httpx
import orjson
import pytest

from .conftest import HEADERS
from .malformed import MALFORMED, Malformed


def test_the_table_is_long_enough():
    assert len({case.name for case in MALFORMED}) == len(MALFORMED) >= 30


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
def test_malformed_request_is_told_what_is_wrong(gateway, case: Malformed):
    content = case.body if isinstance(case.body, bytes) else orjson.dumps(case.body)
    answer = httpx.request(case.method, gateway.url + case.path, content=content, headers=case.headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (case.status, case.code), error
    for fragment in case.says:
        assert fragment in error["message"]
    assert error["param"] == case.param
    assert set(error) >= {"message", "type", "code", "param", "decision_id"}
    assert "Traceback" not in answer.text
    for name in HEADERS:
        assert answer.headers[f"x-pointsman-{name}"]
    assert gateway.calls() == 0


def test_infeasible_answer_lists_every_candidate_with_its_reasons(gateway):
    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": "hi"}],
        "pointsman": {"max_latency_ms": 1},
    }
    error = httpx.post(gateway.url + "/v1/chat/completions", json=body).json()["error"]
    assert error["binding_constraint"] == "latency_sla"
    assert {each["deployment"] for each in error["candidates"]} == set(gateway.deployments)
    for candidate in error["candidates"]:
        assert not candidate["feasible"]
        assert {"code", "limit", "value"} <= set(candidate["rejected_by"][0])
