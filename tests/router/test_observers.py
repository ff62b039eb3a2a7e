"""What observers are told, of whole answers, streams, cache hits and failures."""

from functools import partial

import anyio
import pytest

from pointsman import ProvidersExhausted, Router
from pointsman.providers.scripted import Answer, BrokenStream, Failure, Hang, ScriptedProvider
from pointsman.types import Usage

from ..gateway.conftest import PROVIDERS, config

pytestmark = pytest.mark.anyio
USAGE = Usage(n_input_tokens=100, n_output_tokens=1)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


class Seen:
    def __init__(self, wants_answers=True):
        self.wants_answers = wants_answers
        self.all = []

    def served(self, served):
        self.all.append(served)


class Broken(Seen):
    def served(self, served):
        raise ValueError("an observer's own trouble")


def watched(observer, document=None, **scripts):
    providers = {name: ScriptedProvider(name, scripts.get(name, [Answer("ok")])) for name in PROVIDERS}
    router = Router.from_config(document or config(), providers=providers)
    router.add_observer(observer)
    return router


async def test_a_whole_answer_is_told():
    seen = Seen()
    async with watched(seen, alpha=[Answer("yes", usage=USAGE)]) as router:
        answer = await router.complete("Is water wet?", model="nano", tags=["t"])
    (served,) = seen.all
    assert served.decision.decision_id == answer.decision.decision_id
    assert (served.deployment, served.model, served.provider) == ("nano@alpha", "nano", "alpha")
    assert served.answer["choices"][0]["message"]["content"] == "yes"
    assert (served.usage, served.cost_usd) == (answer.usage, answer.cost_usd)
    assert served.body["messages"][0]["content"] == "Is water wet?"
    assert served.request.constraints.tags == ("t",)
    assert (served.is_stream, served.error_code, served.is_cut, served.ttft_ms) == (False, None, False, None)
    assert 0 < served.overhead_us < served.latency_ms * 1e3


@pytest.mark.parametrize("wants_answers", [True, False])
async def test_a_stream_is_told_once_it_has_ended(wants_answers):
    seen = Seen(wants_answers)
    async with watched(seen, alpha=[Answer("one two three", usage=USAGE)]) as router:
        async for _ in router.stream("Count", model="nano"):
            assert not seen.all
    (served,) = seen.all
    assert (served.is_stream, served.error_code, served.is_cut) == (True, None, False)
    assert (served.answer is not None) == wants_answers
    if wants_answers:
        assert served.answer["choices"][0]["message"]["content"] == "one two three"
    assert 0 < served.ttft_ms <= served.latency_ms
    assert served.usage == USAGE


async def test_a_reader_that_leaves_is_told():
    seen = Seen()
    async with (
        watched(seen, alpha=[Answer("one two three")]) as router,
        router.stream("Count", model="nano") as stream,
    ):
        await anext(stream)
    (served,) = seen.all
    assert (served.error_code, served.is_cut) == ("caller_gone", True)


async def test_a_stream_that_breaks_is_told():
    seen = Seen()
    async with watched(seen, alpha=[BrokenStream(after_chunks=2)]) as router:
        with pytest.raises(Exception, match="alpha"):
            async for _ in router.stream("Count", model="nano"):
                pass
    (served,) = seen.all
    assert served.error_code.startswith("provider_")
    assert served.is_cut
    assert served.deployment == "nano@alpha"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_of_all_is_told_with_every_attempt(stream):
    seen = Seen()
    down = {name: [Failure(503)] for name in PROVIDERS}
    async with watched(seen, **down) as router:
        ask = router.stream("Hi").open if stream else partial(router.complete, "Hi")
        with pytest.raises(ProvidersExhausted) as raised:
            await ask()
    (served,) = seen.all
    assert served.error_code == raised.value.code
    assert len(served.attempts) == len(raised.value.attempts) > 1
    assert (served.deployment, served.answer, served.usage, served.cost_usd) == (None, None, None, 0.0)


async def test_a_caller_that_gives_up_is_told():
    seen = Seen()
    async with watched(seen, alpha=[Hang()]) as router:
        with anyio.move_on_after(0.05):
            await router.complete("Hi", model="nano")
    (served,) = seen.all
    assert served.error_code == "caller_gone"


async def test_a_kept_answer_is_told_as_one():
    seen = Seen()
    async with watched(seen, {**config(), "cache": {}}, alpha=[Answer("yes", usage=USAGE)]) as router:
        for _ in range(2):
            await router.complete("Is water wet?", model="nano", temperature=0)
    assert [(served.cache.status, served.cost_usd > 0) for served in seen.all] == [
        ("miss", True),
        ("exact", False),
    ]


async def test_an_observer_that_raises_fails_nobody(caplog):
    seen = Seen()
    async with watched(Broken(), alpha=[Answer("yes")]) as router:
        router.add_observer(seen)
        assert (await router.complete("Hi", model="nano")).text == "yes"
    assert len(seen.all) == 1
    assert "observer Broken failed" in caplog.text
