"""Fallbacks, waits and deadlines of the direct plan, in virtual time."""

import asyncio
import time
from email.utils import formatdate

import pytest

from pointsman.errors import DeploymentsUnavailable, ProviderError, ProvidersExhausted, ProviderTimeout
from pointsman.providers import Answer, BrokenStream, Failure, Hang
from pointsman.providers.answers import error_of

from .conftest import OK, in_world


async def ask(world, **arguments):
    return (await world.router.complete("hello", **arguments)).deployment


async def stream(world, **arguments):
    text = ""
    async with world.router.stream("hello", **arguments) as chunks:
        async for chunk in chunks:
            for choice in chunk["choices"]:
                text += choice["delta"].get("content") or ""
    return text


def test_the_models_other_deployment_comes_first_then_the_next_model():
    async def program(world):
        answer = await world.router.complete("hello")
        return [attempt.deployment for attempt in answer.attempts]

    # By price `b@two` ranks between the deployments of `a`.
    scripts = {"a@one": [Failure(503)], "b@two": OK, "a@three": [Failure(503)]}
    assert in_world(scripts, program) == ["a@one", "a@three", "b@two"]


def test_a_lone_deployment_is_asked_again_after_waits_that_grow():
    async def program(world):
        answer = await world.router.complete("hello")
        return len(answer.attempts), world.clock()

    n_attempts, took_s = in_world({"a@one": [Failure(500), Failure(502), *OK]}, program)
    assert n_attempts == 3
    assert 0.125 + 0.25 <= took_s <= 0.25 + 0.5


def test_what_cannot_pass_is_not_asked_again():
    async def program(world):
        with pytest.raises(ProviderError) as raised:
            await ask(world)
        return raised.value.code, world.n_calls()

    assert in_world({"a@one": [Failure(401)]}, program) == ("provider_auth", {"one": 1})
    assert in_world({"a@one": [Failure(400)], "b@two": OK}, program) == (
        "provider_rejected",
        {"one": 1, "two": 0},
    )


@pytest.mark.parametrize("form", ["seconds", "date", "milliseconds"])
def test_complaint_6_retry_after_is_honoured_in_every_form(form):
    """`complaints.md` 6: retries ignore `retry-after`."""
    # The date is compared with the real clock, to the second.
    value = {"seconds": "3", "date": formatdate(time.time() + 4, usegmt=True), "milliseconds": "3000"}[form]
    name = "retry-after-ms" if form == "milliseconds" else "retry-after"

    async def program(world):
        answer = await world.router.complete("hello")
        return len(answer.attempts), world.clock()

    limited = Failure(exception=error_of("one", 429, {name: value}, b""))
    n_attempts, took_s = in_world({"a@one": [limited, *OK]}, program)
    assert n_attempts == 2
    assert 2.5 <= took_s <= 4.1
    # With another deployment at hand nobody waits.
    n_attempts, took_s = in_world({"a@one": [limited, *OK], "a@two": OK}, program)
    assert (n_attempts, took_s) == (2, 0.0)


def test_a_wait_beyond_the_deadline_is_not_begun():
    async def program(world):
        with pytest.raises(ProviderError) as raised:
            await ask(world, deadline=5)
        return raised.value.code, raised.value.retry_after_s, world.clock()

    scripts = {"a@one": [Failure(429, retry_after_s=60)], "a@two": [Failure(429, retry_after_s=9)]}
    assert in_world(scripts, program) == ("provider_rate_limited", pytest.approx(9), 0.0)


def test_the_deadline_bounds_waits_and_streams():
    async def waits(world):
        with pytest.raises(ProviderTimeout):
            await ask(world, deadline=5)
        return world.clock(), world.state("a@one").n_pending

    assert in_world({"a@one": [Hang()]}, waits) == (5.0, 0)

    async def streams(world):
        with pytest.raises(ProviderTimeout) as raised:
            await stream(world, deadline=5)
        return raised.value.phase, world.clock(), world.state("a@one").n_pending

    assert in_world({"a@one": [Hang(after_chunks=2)]}, streams) == ("deadline", 5.0, 0)


def test_nobody_is_asked_after_the_first_byte():
    async def program(world):
        with pytest.raises(ProviderError) as raised:
            await stream(world)
        return raised.value.code, world.n_calls()

    scripts = {"a@one": [BrokenStream(after_chunks=1)], "a@two": OK}
    assert in_world(scripts, program) == ("provider_stream_broken", {"one": 1, "two": 0})
    scripts = {"a@one": [BrokenStream(after_chunks=0)], "a@two": OK}

    async def falls_back(world):
        return await stream(world), world.n_calls()

    assert in_world(scripts, falls_back) == ("ok", {"one": 1, "two": 1})


def test_a_request_that_is_too_long_goes_to_a_larger_window():
    overflow = Failure(400, error={"code": "context_length_exceeded", "message": "too long"})
    scripts = {"small@one": [overflow], "small@two": OK, "large@three": OK}

    async def program(world):
        return await ask(world), world.n_calls()

    calls = {"one": 1, "two": 0, "three": 1}
    assert in_world(scripts, program, windows={"small": 8000, "large": 99000}) == ("large@three", calls)

    async def refused(world):
        with pytest.raises(ProviderError) as raised:
            await ask(world)
        return raised.value.code, raised.value.body["code"], world.state("small@one").failure_rate

    same = {"small": 8000, "large": 8000}
    assert in_world(scripts, refused, windows=same) == ("provider_rejected", "context_length_exceeded", 0.0)


def test_exhausted_rate_limits_are_429_with_the_smallest_wait():
    async def program(world):
        with pytest.raises(ProviderError) as raised:
            await ask(world)
        return raised.value.code, raised.value.status, raised.value.retry_after_s

    waits = {"a@one": 50, "a@two": 30, "b@three": 40}
    scripts = {name: [Failure(429, retry_after_s=wait_s)] for name, wait_s in waits.items()}
    assert in_world(scripts, program) == ("provider_rate_limited", 429, pytest.approx(30))


def test_complaint_4_all_away_waits_for_the_first_to_return():
    """`complaints.md` 4: everything cooled down is a hard failure with no way to see why."""

    async def program(world):
        for _ in range(2):
            with pytest.raises(ProviderError):
                await ask(world, deadline=1)
        answered = await ask(world, deadline=60)
        return answered, world.clock()

    scripts = {"a@one": [Failure(429, retry_after_s=40), *OK], "a@two": [Failure(429, retry_after_s=15), *OK]}
    answered, at_s = in_world(scripts, program)
    assert answered == "a@two"
    assert at_s == pytest.approx(15, abs=1)


def test_complaint_4_beyond_patience_each_state_is_named_with_its_end():
    async def program(world):
        for _ in range(20):
            with pytest.raises(ProviderError):
                await ask(world, deadline=0.5)
        with pytest.raises(DeploymentsUnavailable) as raised:
            await ask(world)
        return raised.value, world.clock()

    scripts = {"a@one": [Failure(500)], "b@two": [Failure(500)]}
    error, at_s = in_world(scripts, program, retries={"patience_s": 5})
    assert error.code == "provider_unavailable"
    assert error.status == 503
    assert "a@one is open for" in str(error)
    assert "b@two is open for" in str(error)
    assert error.retry_after_s is not None
    assert 5 < error.retry_after_s <= 37.5
    assert at_s < 20


def test_complaint_3_five_failures_eject_and_one_probe_brings_back():
    """`complaints.md` 3: 25 straight 500s leave a deployment in rotation."""

    async def program(world):
        for _ in range(25):
            with pytest.raises(ProviderError):
                await ask(world, model="a")
        n_calls, state = world.n_calls()["one"], world.state("a@one").state
        await asyncio.sleep(40)
        probed = await asyncio.gather(*(ask(world, model="a") for _ in range(5)), return_exceptions=True)
        n_probes = world.n_calls()["one"] - n_calls
        answered = await ask(world, model="a")
        return n_calls, state, n_probes, sum(isinstance(one, str) for one in probed), answered

    scripts = {"a@one": [Failure(500)] * 5 + [Answer("ok", latency_s=0.5)], "b@two": OK}
    rules = {"patience_s": 0}
    assert in_world(scripts, program, retries=rules) == (5, "open", 1, 1, "a@one")


def test_one_that_fails_loses_its_traffic_before_it_is_ejected():
    async def program(world):
        answered = [await ask(world) for _ in range(25)]
        return set(answered), world.n_calls()["one"] < 5, world.state("a@one").state

    scripts = {"a@one": [Failure(500)], "b@two": OK}
    assert in_world(scripts, program) == ({"b@two"}, True, "degraded")


def test_no_retry_storm_when_everything_is_down():
    async def program(world):
        n_requests = 400

        async def one(place):
            await asyncio.sleep(place / 10)
            with pytest.raises(ProviderError):
                await ask(world)

        async with asyncio.TaskGroup() as tasks:
            for place in range(n_requests):
                tasks.create_task(one(place))
        return sum(world.n_calls().values()) / n_requests

    scripts = {f"{model}@{model}{i}": [Failure(503)] for model in "abc" for i in range(3)}
    assert in_world(scripts, program, retries={"patience_s": 0}) <= 2.0


def test_concurrency_is_limited_and_those_that_wait_are_answered(caplog):
    async def program(world):
        peak = 0

        async def watch():
            nonlocal peak
            while True:
                peak = max(peak, world.state("a@one").n_pending)
                await asyncio.sleep(0.1)

        watching = asyncio.create_task(watch())
        answered = await asyncio.gather(*(ask(world) for _ in range(12)))
        watching.cancel()
        return len(answered), peak, world.clock()

    health = {"concurrency": {"min": 1, "initial": 4, "max": 4}}
    caplog.set_level("INFO", logger="pointsman.health")
    n, peak, took_s = in_world({"a@one": [Answer("ok", latency_s=1.0)]}, program, health=health)
    assert (n, peak) == (12, 4)
    assert took_s == pytest.approx(3.0, abs=0.2)
    assert [record.getMessage() for record in caplog.records] == ["a@one is full"]


def test_requests_per_minute_are_reserved_before_the_call():
    """`complaints.md` 5: a provider that counts never sees one call too many."""

    async def program(world):
        results = await asyncio.gather(*(ask(world) for _ in range(40)), return_exceptions=True)
        n_ok = sum(isinstance(result, str) for result in results)
        n_limited = sum(getattr(result, "code", "") == "provider_rate_limited" for result in results)
        return n_ok, n_limited, world.n_calls()["one"]

    limits = {"a@one": {"requests_per_min": 30}}
    done = in_world({"a@one": OK}, program, limits=limits, retries={"patience_s": 0})
    assert done == (30, 10, 30)
    # Two a second flow back: ten more have waited five seconds.
    assert in_world({"a@one": OK}, program, limits=limits, retries={"patience_s": 20}) == (40, 0, 40)


def test_limits_in_headers_are_believed():
    headers = {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "30s",
    }

    async def program(world):
        first, second = await ask(world), await ask(world)
        return first, second, world.state("a@one").requests.remaining

    scripts = {"a@one": [Answer("ok", headers=headers)], "a@two": OK}
    assert in_world(scripts, program) == ("a@one", "a@two", 0.0)

    async def streamed(world):
        await stream(world)
        return await ask(world)

    assert in_world(scripts, streamed) == "a@two"


def test_changes_are_logged_and_told_without_prompts(caplog):
    async def program(world):
        events = []
        world.router.add_health_listener(events.append)
        world.router.add_health_listener(lambda event: 1 / 0)
        with pytest.raises(ProviderError):
            await ask(world)
        await asyncio.sleep(60)
        await ask(world)
        with pytest.raises(ProviderError):
            await ask(world)
        return events

    caplog.set_level("INFO", logger="pointsman.health")
    scripts = {"a@one": [Failure(500)] * 2 + [*OK, Failure(429, retry_after_s=90)]}
    settings = {"max_consecutive_failures": 2}
    events = in_world(scripts, program, health=settings)
    assert [(event.deployment, event.change, event.code) for event in events] == [
        ("a@one", "open", "provider_unavailable"),
        ("a@one", "half_open", None),
        ("a@one", "closed", None),
        ("a@one", "held", "provider_rate_limited"),
    ]
    assert events[3].until_s == pytest.approx(events[3].at_s + 90)
    assert events[0].until_s - events[0].at_s >= 30
    told = [record for record in caplog.records if record.getMessage().startswith("a@one is open")]
    assert told[0].change == "open"
    assert "hello" not in caplog.text


def test_a_caller_that_leaves_gives_its_place_back():
    async def program(world):
        task = asyncio.create_task(ask(world))
        await asyncio.sleep(0.1)
        before = world.state("a@one").n_pending
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with world.router.stream("hello") as chunks:
            await anext(chunks)
        after = world.state("a@one")
        return before, after.n_pending, after.failure_rate

    assert in_world({"a@one": [Hang(), Answer("a b c d")]}, program) == (1, 0, 0.0)


def test_several_failures_name_every_attempt():
    async def program(world):
        with pytest.raises(ProvidersExhausted) as raised:
            await ask(world)
        return [(attempt.deployment, attempt.error_code) for attempt in raised.value.attempts]

    assert in_world({"a@one": [Failure(401)], "b@two": [Failure(404)]}, program) == [
        ("a@one", "provider_auth"),
        ("b@two", "provider_model_not_found"),
    ]
