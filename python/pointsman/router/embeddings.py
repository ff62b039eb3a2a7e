"""Embeddings: passed through to a deployment of the model that is named, the cheapest that is well first.

Vectors of different models cannot be compared, so the model is the caller's choice. What else there is to a
call is as for chats: health, limits, retries, budgets, keys, and whoever watches.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pointsman._native import Core
from pointsman.errors import RequestError
from pointsman.execution import direct
from pointsman.execution.dispatch import Dispatch
from pointsman.router.fields import kind, nearest
from pointsman.router.parts import configure
from pointsman.router.request import ROUTING_FIELDS, check_permitted
from pointsman.types import NANO_USD_PER_USD, Request, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pointsman._native import Decision
    from pointsman.execution.direct import Attempts, Target
    from pointsman.execution.gate import DeploymentState, HealthEvent
    from pointsman.keys import Key
    from pointsman.registry import Registry
    from pointsman.router.admission import Admission
    from pointsman.router.observers import Observers
    from pointsman.router.wiring import Wiring
    from pointsman.types import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """Embeddings, and who made them.

    Attributes:
        body: The answer in OpenAI's shape; `model` is the model's name here.
        decision: Which deployment of the model was chosen, and why.
        model: The model.
        deployment: The deployment that answered.
        provider: Its provider.
        usage: Tokens used.
        cost_usd: What they cost, US dollars.
        latency_ms: From the request to the answer.
        overhead_us: The part of it spent in pointsman.
        attempts: Every call made, in order.
        headers: Upstream rate-limit headers.
    """

    body: dict[str, Any]
    decision: Decision
    model: str
    deployment: str
    provider: str
    usage: Usage
    cost_usd: float
    latency_ms: float
    overhead_us: float
    attempts: tuple[Attempt, ...]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def vectors(self) -> list[Any]:
        """The vectors, in the order of the inputs; lists of numbers, or base64 if that was asked for."""
        return [item.get("embedding") for item in self.body["data"]]


@dataclass(frozen=True, slots=True)
class Asked:
    """An embeddings request that was read.

    Attributes:
        request: As the core sees it.
        body: The body to send on.
        n_tokens: The most tokens its input can have.
        key: The key it came with.
        policy_name: None is named; that of all.
        shadow: No policy chooses a model that embeds, so none has a shadow.
    """

    request: Request
    body: dict[str, Any]
    n_tokens: int
    key: Key | None
    policy_name: str = "default"
    shadow: None = None

    @property
    def key_id(self) -> str | None:
        """Id of the key it came with."""
        return self.key.key_id if self.key else None


class Embedder:
    """Answers embeddings requests of one router.

    The deployments have a core of their own: it ranks them by price and health and holds to their limits, as
    it does for those that chat.
    """

    def __init__(
        self, registry: Registry, admission: Admission, observers: Observers, clock: Callable[[], float]
    ) -> None:
        self._admission = admission
        self._observers = observers
        self._clock = clock
        self._listeners: list[Callable[[HealthEvent], None]] = []
        self._core: Core | None = None
        self._dispatch: Dispatch | None = None
        self.swap(registry)

    def swap(self, registry: Registry) -> None:
        """Take another config's embedding models; what is known of their health stays."""
        if registry.embedding_catalog is None:
            self._core = self._dispatch = None
            return
        if self._core is None:
            self._core = Core(registry.embedding_catalog)
            self._dispatch = Dispatch(self._core, self._clock)
            for listener in self._listeners:
                self._dispatch.gate.listen(listener)
        else:
            self._core.swap(registry.embedding_catalog)
        if self._dispatch is not None:
            configure(self._dispatch, registry)

    def states(self) -> list[DeploymentState]:
        """How each deployment is now."""
        return self._dispatch.gate.states() if self._dispatch is not None else []

    def listen(self, listener: Callable[[HealthEvent], None]) -> None:
        """Tell `listener` of every change of a deployment's state from now on."""
        self._listeners.append(listener)
        if self._dispatch is not None:
            self._dispatch.gate.listen(listener)

    async def run(self, wiring: Wiring, body: Any, key: Key | None, started_s: float) -> Embedding:
        """Answer the body of an embeddings request.

        Raises:
            RequestError: The body is none, or names no embedding model.
            LimitExceeded: A budget or rate limit has no room.
            ProviderError: The model's deployments all failed.
        """
        asked = _read(wiring, body, key)
        core, dispatch = self._core, self._dispatch
        if core is None or dispatch is None:
            raise _unknown_model(asked.body["model"], [])
        self._admission.take_request(key)
        decision = core.decide(asked.request, now_s=self._clock(), seed=random.getrandbits(64))
        attempts = dispatch.attempts(decision, asked.request)
        try:
            made = await self._call(wiring, asked, decision, attempts, started_s)
        except BaseException as error:
            self._observers.failed(asked, decision, started_s, attempts.made, error, operation="embeddings")
            raise
        finally:
            attempts.close()
        self._observers.embedded(asked, decision, started_s, made)
        return made

    async def _call(
        self, wiring: Wiring, asked: Asked, decision: Decision, attempts: Attempts, started_s: float
    ) -> Embedding:
        targets = [wiring.embedders[name] for name in decision.ranking if name in wiring.embedders]
        costs = {target.deployment: _nano_usd(wiring, target, asked.n_tokens) for target in targets}
        admitted = self._admission.hold(targets, asked.key, costs, asked.n_tokens)
        try:
            target, reply = await direct.complete(admitted.targets, asked.body, attempts)
        except BaseException as error:
            admitted.fail(error)
            raise
        usage = reply.usage or Usage(n_input_tokens=asked.n_tokens, is_estimated=True)
        cost_usd = _nano_usd(wiring, target, usage.n_input_tokens) / NANO_USD_PER_USD
        admitted.settle(cost_usd, usage)
        reply.body["model"] = target.model
        elapsed_s = perf_counter() - started_s
        return Embedding(
            body=reply.body,
            decision=decision,
            model=target.model,
            deployment=target.deployment,
            provider=target.provider,
            usage=usage,
            cost_usd=cost_usd,
            latency_ms=elapsed_s * 1e3,
            overhead_us=(elapsed_s - attempts.upstream_s) * 1e6,
            attempts=tuple(attempts.made),
            headers=reply.headers,
        )


def _read(wiring: Wiring, body: Any, key: Key | None) -> Asked:
    """Read the body of a request."""
    if not isinstance(body, dict):
        raise RequestError(f"the body must be a JSON object, got {kind(body)}")
    for name in ROUTING_FIELDS:
        if body.get(name) is not None:
            raise RequestError(f"{name}: embeddings are not routed by it; name a model", param=name)
    model, known = body.get("model"), sorted({target.model for target in wiring.embedders.values()})
    if not isinstance(model, str) or model not in known:
        raise _unknown_model(model, known)
    if key is not None and key.models is not None:
        check_permitted(model, "model", key.models)
    texts = body.get("input")
    if not isinstance(texts, str | list) or not texts:
        raise RequestError(
            f"input must be a text or a list of texts or token ids, got {kind(texts)}", param="input"
        )
    request = Request(
        messages=[{"role": "user", "content": _text_of(texts)}],
        max_output_tokens=1,
        allowed_models=(model,),
        tenant=key.tenant if key else None,
        arm="pinned",
    )
    sent = {name: value for name, value in body.items() if value is not None}
    return Asked(request, sent, _most_tokens(texts), key)


def _text_of(texts: Any) -> str:
    """The texts as one, as the core reads it; token ids say nothing to it but their number."""
    items = texts if isinstance(texts, list) else [texts]
    return "\n".join(each if isinstance(each, str) else "0 " * _most_tokens(each) for each in items)


def _unknown_model(model: object, known: list[str]) -> RequestError:
    seen = repr(model[:100]) if isinstance(model, str) else kind(model)
    remedy = nearest(model, known) if isinstance(model, str) and known else _remedy(known)
    message = f"no embedding model {seen}{remedy}"
    return RequestError(message, code="caller_model_not_found", param="model", status=404)


def _remedy(known: list[str]) -> str:
    return f"; known: {', '.join(known)}" if known else "; give a model `capabilities: [embeddings]`"


def _most_tokens(texts: Any) -> int:
    """The most tokens an input can have: no token is shorter than a byte."""
    if isinstance(texts, str):
        return len(texts.encode("utf-8", "surrogatepass"))
    if isinstance(texts, list):
        return sum(map(_most_tokens, texts))
    return 1


def _nano_usd(wiring: Wiring, target: Target, n_tokens: int) -> int:
    """What tokens cost at a deployment, rounded up."""
    return -(-wiring.registry.embedding_prices[target.deployment] * n_tokens // 1_000_000)
