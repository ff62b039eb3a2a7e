"""The cache over HTTP: headers, streams, single flight against a real upstream, entries, feedback."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import orjson
import pytest

from pointsman.gateway.app import create_app
from pointsman.providers.scripted import Answer
from pointsman.router import Router
from pointsman.types import Usage

from ..providers.servers import STREAM_HEAD, Server, answer, chunked
from .conftest import config, scripted_gateway, serving

ASKED = "What is the capital of Norway?"
USAGE = Usage(n_input_tokens=100, n_output_tokens=10)
CACHE = {"audit_rate": 0}


@pytest.fixture
def gateway():
    scripts = {"alpha": [Answer("Oslo", usage=USAGE), Answer("Oslo again", usage=USAGE)]}
    with scripted_gateway(scripts, cache=CACHE) as served:
        yield served


def post(gateway, text=ASKED, headers=None, **changes):
    body = {"model": "nano", "messages": [{"role": "user", "content": text}]} | changes
    return httpx.post(gateway.url + "/v1/chat/completions", json=body, headers=headers or {}, timeout=10)


def content(reply):
    return reply.json()["choices"][0]["message"]["content"]


def events(reply):
    lines = [line.removeprefix("data: ") for line in reply.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [orjson.loads(line) for line in lines]


def test_headers_tell_a_hit_and_what_it_saved(gateway):
    first, second = post(gateway), post(gateway)
    assert (first.headers["x-pointsman-cache"], second.headers["x-pointsman-cache"]) == ("miss", "exact")
    assert (content(first), content(second)) == ("Oslo", "Oslo")
    assert second.headers["x-pointsman-strategy"] == "cache"
    assert second.headers["x-pointsman-cost-usd"] == "0.000000000"
    assert second.headers["x-pointsman-baseline-cost-usd"] == first.headers["x-pointsman-baseline-cost-usd"]
    assert second.headers["x-pointsman-attempts"] == "0"
    for name in ("model", "deployment", "provider"):
        assert second.headers[f"x-pointsman-{name}"] == first.headers[f"x-pointsman-{name}"]
    assert second.json()["id"] != first.json()["id"]
    assert gateway.calls() == 1


def test_explain_tells_the_entry(gateway):
    post(gateway, pointsman={"explain": True})
    reply = post(gateway, pointsman={"explain": True}).json()
    metadata = reply["pointsman_metadata"]
    assert metadata["strategy"] == "cache"
    assert metadata["cache"]["status"] == "exact"
    assert httpx.get(f"{gateway.url}/v1/cache/entries/{metadata['cache']['entry_id']}").status_code == 200
    assert (metadata["cost_usd"], metadata["attempts"]) == (0.0, [])
    assert metadata["answered_by"]["deployment"] == "nano@alpha"
    assert "pointsman_metadata" not in post(gateway).json()


def route(gateway, text=ASKED, **changes):
    body = {"model": "nano", "messages": [{"role": "user", "content": text}]} | changes
    return httpx.post(gateway.url + "/v1/route", json=body, timeout=10)


def test_route_tells_of_the_answer_that_would_serve_and_leaves_no_trace(gateway):
    assert route(gateway).json()["cache"] == {"status": "miss", "similarity": None, "entry_id": None}
    post(gateway)
    before = httpx.get(gateway.url + "/v1/cache").json()
    told = [route(gateway), route(gateway, "Please what is  the capital of norway")]
    for reply in told:
        decision, headers = reply.json(), reply.headers
        assert (decision["strategy"], decision["cache"]["status"]) == ("cache", "exact")
        assert headers["x-pointsman-cache"] == "exact"
        assert headers["x-pointsman-cost-usd"] == "0.000000000"
    entry_id = decision["cache"]["entry_id"]
    assert httpx.get(f"{gateway.url}/v1/cache/entries/{entry_id}").json()["n_hits"] == 0
    after = httpx.get(gateway.url + "/v1/cache").json()
    assert (after["hits"], after["misses"]) == (before["hits"], before["misses"])
    assert post(gateway).headers["x-pointsman-cache"] == "exact"


def test_route_tells_no_answer_to_who_may_not_read_it(gateway):
    post(gateway)
    for wish in ({"mode": "off"}, {"mode": "write"}, {"scope": "another"}):
        decision = route(gateway, pointsman={"cache": wish}).json()
        assert (decision["strategy"], decision["cache"]["status"]) == ("direct", "miss")
    assert route(gateway, temperature=1.5).json()["cache"]["status"] == "miss"


def test_the_http_header_rules_the_cache_too(gateway):
    assert post(gateway, headers={"cache-control": "no-store"}).headers["x-pointsman-cache"] == "miss"
    assert post(gateway).headers["x-pointsman-cache"] == "miss"
    assert content(post(gateway, headers={"cache-control": "no-cache"})) == "Oslo again"
    assert post(gateway).headers["x-pointsman-cache"] == "exact"
    assert post(gateway, headers={"x-pointsman-cache": "off"}).headers["x-pointsman-cache"] == "miss"
    assert gateway.calls() == 4


@pytest.mark.parametrize("wants_usage", [True, False])
def test_a_hit_is_replayed_as_a_stream(gateway, wants_usage):
    post(gateway)
    options = {"stream_options": {"include_usage": True}} if wants_usage else {}
    reply = post(gateway, stream=True, pointsman={"explain": True}, **options)
    assert reply.headers["x-pointsman-cache"] == "exact"
    assert reply.headers["x-pointsman-cost-usd"] == "0.000000000"
    *chunks, last = events(reply)
    assert last["pointsman_metadata"]["cache"]["status"] == "exact"
    assert (
        "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])
        == "Oslo"
    )
    assert [chunk["usage"]["total_tokens"] for chunk in chunks if chunk.get("usage")] == [110] * wants_usage
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert gateway.calls() == 1


def test_a_live_stream_serves_a_whole_answer(gateway):
    assert post(gateway, stream=True).headers["x-pointsman-cache"] == "miss"
    assert (content(post(gateway)), gateway.calls()) == ("Oslo", 1)


def test_scopes_are_apart_in_answers_and_lists(gateway):
    for scope in ("ann", "bob"):
        assert post(gateway, pointsman={"cache": {"scope": scope}}).headers["x-pointsman-cache"] == "miss"
    listed = {
        scope: [entry["namespace"] for entry in entries(gateway, namespace=scope)["data"]]
        for scope in ("ann", "bob", "eve")
    }
    assert listed == {"ann": ["ann"], "bob": ["bob"], "eve": []}
    cleared = httpx.delete(gateway.url + "/v1/cache?namespace=ann").json()
    assert cleared["n_deleted"] == 1
    assert len(entries(gateway)["data"]) == 1


def entries(gateway, **query):
    return httpx.get(gateway.url + "/v1/cache/entries", params=query).json()


def test_entries_are_listed_page_by_page(gateway):
    for city in ("Norway", "Sweden", "Denmark"):
        post(gateway, f"What is the capital of {city}?")
    first = entries(gateway, limit=2)
    assert (len(first["data"]), first["has_more"]) == (2, True)
    rest = entries(gateway, limit=2, after=first["data"][-1]["id"])
    assert (len(rest["data"]), rest["has_more"]) == (1, False)
    assert len({entry["text"] for entry in first["data"] + rest["data"]}) == 3


def test_an_entry_is_shown_corrected_and_deleted(gateway):
    post(gateway)
    [listed] = entries(gateway)["data"]
    url = f"{gateway.url}/v1/cache/entries/{listed['id']}"
    shown = httpx.get(url).json()
    assert (shown["text"], shown["answer"], shown["model"], shown["namespace"]) == (
        ASKED, "Oslo", "nano", "default",
    )  # fmt: skip
    assert httpx.patch(url, json={"answer": "Oslo, since 1814"}).json()["answer"] == "Oslo, since 1814"
    assert content(post(gateway)) == "Oslo, since 1814"
    assert httpx.get(url).json()["n_hits"] == 1
    assert httpx.delete(url).json()["deleted"]
    assert httpx.get(url).status_code == 404
    assert post(gateway).headers["x-pointsman-cache"] == "miss"


def test_stats_count_hits_and_misses(gateway):
    post(gateway), post(gateway), post(gateway, "Where is my order?")
    stats = httpx.get(gateway.url + "/v1/cache").json()
    assert (stats["n_entries"], stats["hits"]["exact"], stats["misses"]["unservable"]) == (1, 1, 1)
    assert 0 < stats["n_bytes"] < stats["max_bytes"]
    assert stats["folder"] is None


def feedback(gateway, **body):
    return httpx.post(gateway.url + "/v1/feedback", json=body)


def test_feedback_that_a_hit_was_wrong_deletes_it(gateway):
    post(gateway)
    hit = post(gateway)
    reply = feedback(gateway, response_id=hit.json()["id"], name="thumbs", value=False, source="user")
    assert (reply.status_code, reply.json()["is_deleted"]) == (200, True)
    assert content(post(gateway)) == "Oslo again"
    hit = post(gateway)
    good = feedback(gateway, decision_id=hit.headers["x-pointsman-decision-id"], name="thumbs", value=0.9)
    assert (good.status_code, good.json()["is_deleted"]) == (200, False)


WRONG_CALLS = [
    ("GET", "/v1/cache/entries?limit=0", None, 400, "limit must be an integer in [1, 1000]"),
    ("GET", "/v1/cache/entries?limit=many", None, 400, "limit must be an integer"),
    ("GET", "/v1/cache/entries?namspace=a", None, 400, "did you mean namespace?"),
    ("GET", "/v1/cache/entries/zz", None, 404, "there is no entry 'zz'"),
    ("DELETE", "/v1/cache/entries/0000000000000000", None, 404, "there is no entry"),
    ("PATCH", "/v1/cache/entries/0000000000000000", {"answer": "x"}, 404, "there is no entry"),
    (
        "PATCH",
        "/v1/cache/entries/0000000000000000",
        {"answer": 3},
        400,
        "answer must be a non-empty string, got 3",
    ),
    ("PATCH", "/v1/cache/entries/0000000000000000", {"text": "x"}, 400, "unknown field 'text'"),
    ("DELETE", "/v1/cache", None, 400, "name what to clear: ?namespace=NAME"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "message"), WRONG_CALLS)
def test_wrong_calls_are_named(gateway, method, path, body, status, message):
    reply = httpx.request(method, gateway.url + path, json=body)
    assert (reply.status_code, message in reply.json()["error"]["message"]) == (status, True), reply.text


def test_an_id_after_which_nothing_can_come_is_named(gateway):
    reply = httpx.get(gateway.url + "/v1/cache/entries?after=zz")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "caller_invalid_request")


def test_other_sites_pages_reach_nothing(gateway):
    post(gateway)
    foreign = {"origin": "https://evil.example"}
    for method, path in (
        ("GET", "/v1/cache/entries"),
        ("DELETE", "/v1/cache?namespace=*"),
        ("POST", "/v1/feedback"),
    ):
        assert httpx.request(method, gateway.url + path, headers=foreign).status_code == 403
    assert len(entries(gateway)["data"]) == 1


def test_a_gateway_without_a_cache_says_so():
    with scripted_gateway({}) as gateway:
        for method, path in (
            ("GET", "/v1/cache"),
            ("GET", "/v1/cache/entries"),
            ("DELETE", "/v1/cache?namespace=*"),
        ):
            reply = httpx.request(method, gateway.url + path)
            assert (reply.status_code, reply.json()["error"]["code"]) == (404, "caller_no_cache")
        assert feedback(gateway, decision_id="dec_0", value=True).status_code == 404
        assert post(gateway).headers["x-pointsman-cache"] == "miss"


# ---- single flight, against a real upstream on the loopback


def completion(text):
    body = {
        "id": "c", "object": "chat.completion", "created": 1, "model": "up",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
    }  # fmt: skip
    return answer(orjson.dumps(body))


def streamed(text):
    def event(**fields):
        return (
            b"data: "
            + orjson.dumps({"id": "c", "object": "chat.completion.chunk", "model": "up", **fields})
            + b"\n\n"
        )

    def choice(delta, end=None):
        return [{"index": 0, "delta": delta, "finish_reason": end}]

    return STREAM_HEAD + chunked(
        event(choices=choice({"role": "assistant", "content": text})),
        event(choices=choice({}, "stop")),
        event(choices=[], usage={"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}),
        b"data: [DONE]\n\n",
    )


@contextmanager
def real_upstream(handler, **cache):
    """A gateway in front of a loopback server, over real sockets both ways."""
    upstream = Server(handler)
    settings = config() | {"cache": CACHE | cache}
    settings["providers"]["alpha"] = {"base_url": upstream.url + "/v1"}
    router = Router.from_config(settings)
    try:
        with serving(create_app(router=router)) as url:
            yield url, upstream
    finally:
        upstream.close()


def ask_at(url, client=httpx, **changes):
    body = {"model": "nano", "messages": [{"role": "user", "content": ASKED}]} | changes
    return client.post(url + "/v1/chat/completions", json=body, timeout=20)


def at_once(url, n, **changes):
    gate = threading.Barrier(n)

    def one(_):
        gate.wait()
        return ask_at(url, client, **changes)

    # One client: making one takes longer than an answer.
    with httpx.Client(limits=httpx.Limits(max_connections=n)) as client, ThreadPoolExecutor(n) as pool:
        return list(pool.map(one, range(n)))


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_hundred_at_once_make_one_upstream_call(is_stream):
    def slowly(request):
        time.sleep(0.5)
        return streamed("Oslo") if is_stream else completion("Oslo")

    with real_upstream(slowly) as (url, upstream):
        replies = at_once(url, 100, stream=is_stream)
        assert len(upstream.requests) == 1
    assert {reply.status_code for reply in replies} == {200}
    assert all("Oslo" in reply.text for reply in replies)
    caches = [reply.headers["x-pointsman-cache"] for reply in replies]
    assert (caches.count("miss"), caches.count("exact")) == (1, 99)
    if is_stream:
        assert all(reply.text.endswith("data: [DONE]\n\n") for reply in replies)


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_failing_leader_does_not_fail_the_followers(is_stream):
    n_seen = 0

    def fail_first(request):
        nonlocal n_seen
        n_seen += 1
        time.sleep(0.2)
        if n_seen == 1:
            return answer(b'{"error": {"message": "no"}}', status="400 Bad Request")
        return streamed("Oslo") if is_stream else completion("Oslo")

    with real_upstream(fail_first) as (url, upstream):
        replies = at_once(url, 20, stream=is_stream)
        assert len(upstream.requests) == 2
    assert sorted(reply.status_code for reply in replies) == [*[200] * 19, 400]


def test_a_leader_whose_client_leaves_does_not_fail_the_followers():
    n_seen = 0

    def hang_first(request):
        nonlocal n_seen
        n_seen += 1
        if n_seen == 1:
            request.wait_gone()
            return None
        return completion("Oslo")

    with real_upstream(hang_first) as (url, upstream):
        body = {"model": "nano", "messages": [{"role": "user", "content": ASKED}]}

        def leave():
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(url + "/v1/chat/completions", json=body, timeout=httpx.Timeout(5, read=0.4))

        leader = threading.Thread(target=leave)
        leader.start()
        while not upstream.requests:
            time.sleep(0.005)
        replies = at_once(url, 10)
        leader.join()
        assert len(upstream.requests) == 2
    assert {reply.status_code for reply in replies} == {200}


def test_two_gateways_share_a_folder_and_one_writes(tmp_path):
    where = {"path": str(tmp_path / "cache")}
    with real_upstream(lambda request: completion("Oslo"), **where) as (first, upstream):
        ask_at(first)
        with real_upstream(lambda request: completion("Oslo"), **where) as (second, other):
            stats = [httpx.get(url + "/v1/cache").json()["folder"] for url in (first, second)]
            assert [folder["is_writable"] for folder in stats] == [True, False]
            assert {reply.status_code for url in (first, second) for reply in at_once(url, 8)} == {200}
            assert len(upstream.requests) == 1
            assert len(other.requests) <= 1
