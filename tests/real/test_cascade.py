"""A cascade of a real model and a simulated one: calibrated confidence decides who answers."""

import asyncio

import pytest

from pointsman import Router
from pointsman.cli.demo.processes import Children, free_port, wait_until_ready
from pointsman.providers.scripted import Answer, ScriptedProvider

from .conftest import MODEL

pytestmark = pytest.mark.real
EASY, HARD = "What is the capital of France? One word.", "What is 17 times 23? Reply with the number only."


def config(port):
    price = {"smollm2": 0.04, "large": 4.0}
    urls = {"local": f"http://127.0.0.1:{port}/v1", "far": "http://127.0.0.1:1/v1"}
    return {
        "providers": {name: {"base_url": url} for name, url in urls.items()},
        "models": {
            "smollm2": {"quality": 0.5, "context_window": 4096, "capabilities": ["logprobs"]},
            "large": {"quality": 0.95, "context_window": 4096},
        },
        "deployments": [
            {
                "name": model,
                "model": model,
                "provider": provider,
                "price_usd_per_mtok": {"input": price[model], "output": price[model]},
            }
            for model, provider in (("smollm2", "local"), ("large", "far"))
        ],
        "policies": {"default": {"min_quality": 0.8}},
    }


async def probability(router, text):
    """The real model's mean token probability, as the verifiers see it."""
    from pointsman.signals import Answer as Seen
    from pointsman.signals.token_probability import token_probability

    asks = {"model": "smollm2", "min_quality": 0.0, "logprobs": True, "max_tokens": 12, "temperature": 0}
    answer = await router.complete(text, **asks)
    return token_probability(Seen(answer.body, {})).value


async def cascade(port):
    far = ScriptedProvider("far", [Answer("391")])
    async with Router.from_config(config(port), providers={"far": far}) as router:
        sure, unsure = [await probability(router, text) for text in (EASY, HARD)]
        # Graded outcomes in which the model was right when it was as sure as on the easy one.
        for _ in range(200):
            for structure in ("text", "label"):
                name = f"token_probability/{structure}"
                router.planner.observe_verdict(name, "smollm2", sure, 1.0)
                router.planner.observe_verdict(name, "smollm2", unsure, 0.0)
        asks = {"strategy": "cascade", "max_tokens": 12, "temperature": 0}
        return (sure, unsure), [await router.complete(text, **asks) for text in (EASY, HARD)]


def test_the_surer_answer_is_kept_and_the_other_is_asked_again():
    if not (MODEL.python.exists() and MODEL.weights.exists()):
        pytest.skip("the real model is not installed: make realparts")
    port = free_port()
    with Children() as children:
        model = children.start("model", MODEL.command(port, "smollm2"))
        wait_until_ready(model, f"http://127.0.0.1:{port}/health", 120)
        (sure, unsure), (easy, hard) = asyncio.run(cascade(port))
    if abs(sure - unsure) < 0.05:
        pytest.skip(f"this build of the model is as sure of both: {sure:.2f}, {unsure:.2f}")
    assert (easy.model, hard.model) == ("smollm2", "large")
    assert "logprobs" not in easy.body["choices"][0]
    assert [attempt.is_rejected for attempt in hard.attempts] == [True, False]
    assert hard.cost_usd > easy.cost_usd
