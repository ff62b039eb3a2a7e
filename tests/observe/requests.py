"""What becomes of requests to scripted providers, as observers are told of it."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from pointsman.errors import PointsmanError
from pointsman.keys import Key
from pointsman.providers import Answer, Failure, ScriptedProvider
from pointsman.router import Router
from pointsman.types import Usage

from ..gateway.conftest import PROVIDERS, config

SECRET_PROMPT = "the launch code is swordfish-7731"
SECRET_ANSWER = "never say tigerlily-4402"
USAGE = Usage(n_input_tokens=100, n_cached_input_tokens=40, n_output_tokens=20, n_reasoning_tokens=5)


def routed(*observers: Any, script: list[Any] | None = None, **sections: Any) -> Router:
    answers = script or [Answer(SECRET_ANSWER, usage=USAGE)]
    providers = {name: ScriptedProvider(name, answers) for name in PROVIDERS}
    router = Router.from_config(config() | sections, providers=providers)
    for observer in observers:
        router.add_observer(observer)
    return router


async def ask(router: Router, *, stream: bool = False, model: str = "auto:best") -> None:
    """One request of a key's owner; what fails is for the observers to tell."""
    body = {"model": model, "messages": [{"role": "user", "content": SECRET_PROMPT}], "temperature": 0.5}
    key = Key(key_id="k1", digest=bytes(32), tenant="acme")
    chat = router.parse(body | {"stream": stream}, {}, key=key)
    decision = router.decide_request(chat)
    try:
        if not stream:
            await router.run(chat, decision, perf_counter())
            return
        async for _ in router.run_stream(chat, decision, perf_counter()):
            pass
    except PointsmanError:
        return


FALLS_BACK = {"script": [Failure(500), Answer(SECRET_ANSWER, usage=USAGE)]}
