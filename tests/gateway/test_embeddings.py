"""`POST /v1/embeddings`: passed through, priced, within budgets; embedding models never chat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import orjson
import pytest

from pointsman import ConfigError, RequestError, Router
from pointsman.gateway.app import create_app
from pointsman.keys import KeyFolder
from pointsman.providers.scripted import ScriptedProvider
from tests.providers.servers import Server, answer

from .conftest import HEADERS, serving

PRICE = {"input": 0.02, "output": 0}
ANSWER = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
    "model": "up-embedder",
    "usage": {"prompt_tokens": 1000, "total_tokens": 1000},
}
ASK = {"model": "embedder", "input": "hello", "user": None}


def config(*urls: str) -> dict[str, Any]:
    """A chat model, and an embedding model at a dear and at a cheap provider."""
    price = [{"input": 0.05, "output": 0}, PRICE]
    return {
        "providers": {"chat": {"base_url": "http://127.0.0.1:1"}}
        | {f"p{place}": {"base_url": url} for place, url in enumerate(urls)},
        "models": {
            "chatter": {"quality": 0.5, "context_window": 8000},
            "embedder": {"capabilities": ["embeddings"]},
        },
        "deployments": [
            {"model": "chatter", "provider": "chat", "price_usd_per_mtok": {"input": 1, "output": 1}},
            *(
                {
                    "model": "embedder",
                    "provider": f"p{place}",
                    "upstream_model": "up-embedder",
                    "price_usd_per_mtok": price[place],
                }
                for place in range(len(urls))
            ),
        ],
    }


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    made = [Server(lambda _: answer(orjson.dumps(ANSWER), headers={"x-ratelimit-limit-tokens": "9"})) for _ in range(2)]  # fmt: skip
    yield made
    for server in made:
        server.close()


@pytest.fixture
def unlimited(servers: list[Server]) -> list[Server]:
    """The servers, without the limit of 9 tokens a minute in their headers."""
    for server in servers:
        server.handler = lambda _: answer(orjson.dumps(ANSWER))
    return servers


@contextmanager
def gateway(servers: list[Server], **sections: Any) -> Iterator[str]:
    settings = config(*(server.url for server in servers)) | sections
    chat = {"chat": ScriptedProvider("chat")}
    with serving(create_app(router=Router.from_config(settings, providers=chat))) as url:
        yield url


def post(url: str, headers: Any = None, **changes: Any) -> httpx.Response:
    return httpx.post(url + "/v1/embeddings", json=ASK | changes, headers=headers or {}, timeout=10)


def test_embeddings_are_passed_through_from_the_cheapest(servers):
    with gateway(servers) as url:
        reply = post(url, dimensions=2, encoding_format="float")
    assert reply.json() == {**ANSWER, "model": "embedder"}
    assert orjson.loads(servers[1].requests[0].body) == {
        "model": "up-embedder",
        "input": "hello",
        "dimensions": 2,
        "encoding_format": "float",
    }
    assert servers[1].requests[0].path == "/embeddings"
    assert not servers[0].requests
    assert all(reply.headers[f"x-pointsman-{name}"] for name in HEADERS)
    assert reply.headers["x-pointsman-deployment"] == "p1/embedder"
    assert float(reply.headers["x-pointsman-cost-usd"]) == pytest.approx(1000 * 0.02e-6)
    assert reply.headers["x-ratelimit-limit-tokens"] == "9"


def test_a_failing_deployment_is_followed_by_the_next(servers):
    servers[1].handler = lambda _: answer(b"{}", status="500 X")
    with gateway(servers) as url:
        reply = post(url)
        assert reply.headers["x-pointsman-deployment"] == "p0/embedder"
        assert reply.headers["x-pointsman-attempts"] == "2"
        servers[0].handler = lambda _: answer(b'{"object": "list"}')
        broken = post(url)
    assert broken.status_code == 502
    assert broken.json()["error"]["code"] == "provider_exhausted"


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"model": "chatter"}, 404, "model"),
        ({"model": "auto"}, 404, "model"),
        ({"model": 7}, 404, "model"),
        ({"input": 7}, 400, "input"),
        ({"input": []}, 400, "input"),
        ({"pointsman": {"max_cost_usd": 1}}, 400, "pointsman"),
        ({"provider": {"only": ["p0"]}}, 400, "provider"),
    ],
)
def test_what_is_no_embeddings_request_is_refused(servers, changes, status, param):
    with gateway(servers) as url:
        reply = post(url, **changes)
    assert (reply.status_code, reply.json()["error"]["param"]) == (status, param)
    assert not servers[0].requests


def test_the_stock_client_reads_them(servers):
    with gateway(servers) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="k") as client:
        made = client.embeddings.create(model="embedder", input=["hello"])
        assert {"embedder", "chatter"} <= {model.id for model in client.models.list()}
        assert orjson.loads(servers[1].requests[0].body)["encoding_format"] == "base64"
    assert made.data[0].embedding == [0.5, -0.25]


def test_an_embedding_model_never_chats(servers):
    with gateway(servers) as url:
        body = {"messages": [{"role": "user", "content": "hi"}]}
        chats = [httpx.post(url + "/v1/chat/completions", json=body | {"model": model}) for model in ("auto", "embedder")]  # fmt: skip
    assert [reply.status_code for reply in chats] == [200, 404]
    assert chats[0].json()["model"] == "chatter"
    assert not [request for server in servers for request in server.requests]


def test_keys_and_budgets_hold(servers, tmp_path):
    folder = KeyFolder(tmp_path / "keys")
    _, kept = folder.create(tenant="a", models=("chatter",))
    _, free = folder.create(tenant="b")
    budgets = {"total": [{"usd": 3e-5, "period": "day"}]}
    with gateway(servers, keys={"path": str(folder.path)}, budgets=budgets) as url:

        def ask(secret):
            return post(url, {"authorization": f"Bearer {secret}"}, input="word " * 200)

        assert ask(kept).json()["error"]["code"] == "caller_model_not_allowed"
        assert [ask(free).status_code for _ in range(2)] == [200, 402]
    assert [len(server.requests) for server in servers] == [0, 1]


@pytest.mark.parametrize(
    ("section", "value", "said"),
    [
        ("baseline_model", "embedder", "'embedder' embeds and does not chat"),
        ("policies", {"x": {"models": ["embedder"]}}, "'embedder' embeds and does not chat"),
        ("models", {"chatter": {"context_window": 9}, "embedder": {"capabilities": ["embeddings", "tools"]}}, "embeddings"),
        ("providers", {"chat": {"base_url": "http://h"}, "p0": {"kind": "gemini"}}, "gives no embeddings here"),
    ],
)  # fmt: skip
def test_a_config_that_mixes_them_up_is_refused(section, value, said):
    with pytest.raises(ConfigError, match=said):
        Router.from_config(config("http://127.0.0.1:1") | {section: value})


async def test_the_library_embeds_too(servers):
    async with Router.from_config(config(*(server.url for server in servers))) as router:
        made = await router.embed(["hello"], model="embedder")
        with pytest.raises(RequestError, match="no embedding model"):
            await router.embed("hello", model="chatter")
    assert made.vectors == [[0.5, -0.25]]
    assert made.usage.n_input_tokens == 1000


def test_a_deployment_that_fails_loses_its_embeddings_to_the_next(unlimited):
    unlimited[1].handler = lambda _: answer(b"{}", status="500 X")
    with gateway(unlimited) as url:
        replies = [post(url) for _ in range(8)]
        states = httpx.get(url + "/v1/deployments").json()["data"]
        metrics = httpx.get(url + "/metrics").text
    assert {reply.status_code for reply in replies} == {200}
    assert len(unlimited[1].requests) == 1, "one failure makes it dearer than the other"
    (failing,) = [state for state in states if state["deployment"] == "p1/embedder"]
    assert (failing["n_consecutive_failures"], failing["model"]) == (1, "embedder")
    (attempts,) = [line for line in metrics.splitlines() if "attempts_total" in line and "provider_" in line]
    assert 'deployment="p1/embedder"' in attempts
    assert attempts.endswith(" 1.0")
    assert 'model="embedder"' in next(line for line in metrics.splitlines() if "cost_usd_total{" in line)


def test_embeddings_that_keep_failing_open_the_breaker(unlimited):
    unlimited[0].handler = lambda _: answer(b"{}", status="500 X")
    with gateway(unlimited[:1], retries={"max_attempts": 1, "patience_s": 0.0}) as url:
        replies = [post(url) for _ in range(7)]
        states = httpx.get(url + "/v1/deployments").json()["data"]
    assert len(unlimited[0].requests) == 5
    assert {reply.status_code for reply in replies} == {503}
    assert "p0/embedder is open" in replies[-1].json()["error"]["message"]
    assert [state["breaker"] for state in states if state["model"] == "embedder"] == ["open"]


def test_a_deployment_s_own_limits_hold(unlimited):
    settings = config(*(server.url for server in unlimited))
    settings["deployments"][2]["limits"] = {"requests_per_min": 2}
    with gateway(unlimited, deployments=settings["deployments"]) as url:
        who = [post(url).headers["x-pointsman-deployment"] for _ in range(3)]
    assert who == ["p1/embedder", "p1/embedder", "p0/embedder"]


def test_embeddings_are_in_the_decision_log_and_told_to_observers(unlimited, tmp_path):
    told = []

    class Watching:
        wants_answers = False

        def served(self, served):
            told.append((served.operation, served.model, served.usage and served.usage.n_input_tokens))

    settings = config(*(server.url for server in unlimited)) | {"store": {"url": str(tmp_path / "log.db")}}
    router = Router.from_config(settings, providers={"chat": ScriptedProvider("chat")})
    router.add_observer(Watching())
    with serving(create_app(router=router)) as url:
        reply = post(url)
        for server in unlimited:
            server.handler = lambda _: answer(b"{}", status="400 X")
        failed = post(url, input="elsewhere")
        decision = httpx.get(f"{url}/v1/decisions/{reply.headers['x-pointsman-decision-id']}").json()
    assert failed.status_code == 400
    assert told == [("embeddings", "embedder", 1000), ("embeddings", None, None)]
    assert (decision["outcome"]["deployment"], decision["outcome"]["cost_usd"]) == ("p1/embedder", 2e-5)
    assert failed.headers["x-pointsman-deployment"] == "none"


def test_token_ids_and_long_lists_are_counted(unlimited):
    with gateway(unlimited) as url:
        assert post(url, input=[1, 2, 3]).status_code == 200
        assert post(url, input=[[1, 2], [3]]).status_code == 200
        assert post(url, input=["word " * 300] * 200).status_code == 200
