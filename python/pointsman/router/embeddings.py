"""Embeddings: passed through to a deployment of the model that is named, the cheapest first.

The core decides nothing here: vectors of different models cannot be compared, so the model is the caller's
choice, and there is nothing to trade but the price of its deployments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, cast

from pointsman.errors import ProviderError, RequestError
from pointsman.execution.direct import Attempts
from pointsman.router.fields import kind, nearest
from pointsman.router.request import ROUTING_FIELDS, check_permitted
from pointsman.types import NANO_USD_PER_USD, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.execution.direct import Target
    from pointsman.keys import Key
    from pointsman.providers import ProviderCall, ProviderReply
    from pointsman.router.admission import Admission
    from pointsman.router.wiring import Wiring
    from pointsman.types import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """Embeddings, and who made them.

    Attributes:
        body: The answer in OpenAI's shape; `model` is the model's name here.
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


class _Embedder(Protocol):
    async def embed(self, call: ProviderCall) -> ProviderReply: ...


async def embed(
    wiring: Wiring, admission: Admission, body: Any, key: Key | None, started_s: float
) -> Embedding:
    """Answer the body of an embeddings request.

    Raises:
        RequestError: The body is none, or names no embedding model.
        LimitExceeded: A budget or rate limit has no room.
        ProviderError: The model's deployments all failed.
    """
    targets, sent = _read(wiring, body, key)
    admission.take_request(key)
    n_tokens = _most_tokens(sent["input"])
    costs = {target.deployment: _nano_usd(wiring, target, n_tokens) for target in targets}
    admitted = admission.hold(targets, key, costs, n_tokens)
    attempts = Attempts()
    try:
        target, reply = await _call(admitted.targets, sent, attempts)
    except BaseException as error:
        admitted.fail(error)
        raise
    usage = reply.usage or Usage(n_input_tokens=n_tokens, is_estimated=True)
    cost_usd = _nano_usd(wiring, target, usage.n_input_tokens) / NANO_USD_PER_USD
    admitted.settle(cost_usd, usage)
    reply.body["model"] = target.model
    elapsed_s = perf_counter() - started_s
    return Embedding(
        body=reply.body,
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


async def _call(
    targets: Iterable[Target], body: Mapping[str, Any], attempts: Attempts
) -> tuple[Target, ProviderReply]:
    for target in targets:
        started_s = perf_counter()
        try:
            reply = await cast("_Embedder", target.client).embed(target.call(body))
        except ProviderError as failure:
            attempts.failed(target, failure, started_s)
            continue
        attempts.succeeded(target, reply.status, started_s)
        return target, reply
    raise attempts.exhausted()


def _read(wiring: Wiring, body: Any, key: Key | None) -> tuple[list[Target], dict[str, Any]]:
    """The deployments of the model that is named, cheapest first, and the body to send them."""
    if not isinstance(body, dict):
        raise RequestError(f"the body must be a JSON object, got {kind(body)}")
    for name in ROUTING_FIELDS:
        if body.get(name) is not None:
            raise RequestError(f"{name}: embeddings are not routed by it; name a model", param=name)
    model = body.get("model")
    if not isinstance(model, str) or model not in wiring.embedders:
        known = sorted(wiring.embedders)
        seen = repr(model[:100]) if isinstance(model, str) else kind(model)
        remedy = nearest(model, known) if isinstance(model, str) and known else _remedy(known)
        message = f"no embedding model {seen}{remedy}"
        raise RequestError(message, code="caller_model_not_found", param="model", status=404)
    if key is not None and key.models is not None:
        check_permitted(model, "model", key.models)
    if not isinstance(body.get("input"), str | list) or not body["input"]:
        raise RequestError(
            f"input must be a text or a list of texts or token ids, got {kind(body.get('input'))}",
            param="input",
        )
    return wiring.embedders[model], {name: value for name, value in body.items() if value is not None}


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
