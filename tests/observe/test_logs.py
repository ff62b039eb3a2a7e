"""Logs in JSON: every line an object, a line a request, and never a prompt, an answer or a key."""

import io
import logging
import re
import sys

import orjson
import pytest

from pointsman.errors import PointsmanError
from pointsman.observe.logs import REQUESTS, JsonFormatter, LogFormat, LogObserver, set_up_logging
from pointsman.providers import Failure

from .requests import SECRET_ANSWER, SECRET_PROMPT, ask, routed


@pytest.fixture
def lines():
    """Everything that is logged under `pointsman`, formatted."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    log = logging.getLogger("pointsman")
    log.addHandler(handler)
    before = log.level
    log.setLevel(logging.DEBUG)  # the attribute alone would leave the cache of who logs what
    yield lambda: [orjson.loads(line) for line in stream.getvalue().splitlines()]
    log.removeHandler(handler)
    log.setLevel(before)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", [None, [Failure(500)]])
async def test_a_line_a_request(lines, stream, script):
    await ask(routed(LogObserver(), script=script), stream=stream)
    (line,) = [line for line in lines() if line["logger"] == REQUESTS]
    assert (line["message"], line["level"], line["tenant"], line["key_id"]) == (
        "request",
        "info",
        "acme",
        "k1",
    )
    assert line["decision_id"].startswith("dec_")
    assert line["code"] == ("provider_exhausted" if script else "ok")
    assert line["model"] == (None if script else "frontier")
    assert line["n_output_tokens"] == (None if script else 20)
    assert (line["ttft_ms"] is not None) is (stream and not script)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"])


class Leaky:
    """An observer with a mistake that quotes what it was told."""

    wants_answers = True

    def served(self, served):
        raise ValueError(served.body["messages"][0]["content"] + str(served.answer))


async def test_no_log_holds_a_prompt_or_an_answer(lines):
    await ask(routed(Leaky(), LogObserver(), cache={"audit_rate": 0}))
    text = orjson.dumps(lines()).decode()
    assert "observer Leaky failed" in text
    assert '"type":"ValueError"' in text
    assert "test_logs.py" in text
    assert SECRET_PROMPT not in text
    assert "swordfish" not in text
    assert SECRET_ANSWER not in text


def test_what_our_own_errors_say_is_told():
    try:
        raise PointsmanError("the router is closed")
    except PointsmanError:
        record = logging.getLogger("x").makeRecord(
            "x", logging.ERROR, "", 0, "no %s", ("luck",), sys.exc_info()
        )
    said = orjson.loads(JsonFormatter().format(record))
    assert said["message"] == "no luck"
    assert said["exception"]["message"] == "the router is closed"
    assert said["exception"]["frames"]


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_requests_are_logged_in_json_only(log_format):
    root, requests = logging.getLogger(), logging.getLogger(REQUESTS)
    kept = root.handlers[:], root.level, requests.level, logging.getLogger("watchfiles").level
    root.handlers.clear()
    try:
        set_up_logging(log_format)
        assert requests.isEnabledFor(logging.INFO) is (log_format is LogFormat.JSON)
        assert isinstance(root.handlers[0].formatter, JsonFormatter) is (log_format is LogFormat.JSON)
    finally:
        root.handlers[:], root.level = kept[0], kept[1]
        requests.setLevel(kept[2])
        logging.getLogger("watchfiles").setLevel(kept[3])
