"""What one request runs on from start to end: a registry with its providers built; how its cost settles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pointsman.execution.direct import Target
from pointsman.providers.embedding import Embedding
from pointsman.types import NANO_USD_PER_USD, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pointsman._native import Decision
    from pointsman.config import DeploymentSettings
    from pointsman.execution.cascade import Discarded
    from pointsman.providers import Provider, ProviderSettings
    from pointsman.registry import Registry
    from pointsman.types import AnsweredBy, Attempt

# Bytes of UTF-8 per token where an upstream reports no usage; English text in BPE vocabularies, chosen.
_BYTES_PER_TOKEN = 4
# Fields of an answer that the model did not write.
_SILENT_FIELDS = frozenset({"role", "id", "type", "annotations", "index"})


class Wiring:
    """A registry with its providers built: what one request runs on from start to end."""

    __slots__ = ("embedders", "n_inflight", "providers", "registry", "targets")

    def __init__(self, registry: Registry, providers: dict[ProviderSettings, Provider]) -> None:
        self.registry = registry
        self.providers = providers
        by_name = {settings.name: provider for settings, provider in providers.items()}
        self.targets = {
            deployment.name: _target(
                registry, deployment, by_name, registry.catalog.context_window(deployment.name)
            )
            for deployment in registry.deployments
        }
        embedders = {name: cast("Provider", Embedding(provider)) for name, provider in by_name.items()}
        self.embedders = {
            deployment.name: _target(registry, deployment, embedders)
            for deployment in registry.embedding_deployments
        }
        self.n_inflight = 0


def _target(
    registry: Registry,
    deployment: DeploymentSettings,
    clients: Mapping[str, Provider],
    context_window: int = 0,
) -> Target:
    return Target(
        deployment=deployment.name,
        model=deployment.model,
        provider=deployment.provider,
        upstream_model=deployment.upstream_model,
        service_tier=None if deployment.tier == "default" else deployment.tier,
        client=clients[deployment.provider],
        max_output_tokens=registry.max_output_tokens.get(deployment.model),
        context_window=context_window,
        is_traced=registry.config.providers[deployment.provider].forward_traceparent,
    )


def targets_of(wiring: Wiring, decision: Decision) -> list[Target]:
    """The deployments a decision may try, in its rank order."""
    return [*filter(None, map(wiring.targets.get, decision.ranking))]


def decision_answer_id(decision: Decision) -> str:
    """Id of the answer that carries a decision out, in OpenAI's shape."""
    return f"chatcmpl-{decision.decision_id}"


def costs_usd(wiring: Wiring, decision: Decision, by: AnsweredBy, usage: Usage) -> tuple[float, float]:
    """What an answer cost, and what the baseline would have cost for the same tokens; US dollars."""
    return _cost_usd(wiring, by.deployment, usage), baseline_usd(wiring, decision, usage)


def baseline_usd(wiring: Wiring, decision: Decision, usage: Usage) -> float:
    """What the baseline would have cost for these tokens, US dollars."""
    return _cost_usd(wiring, decision.baseline_deployment, usage)


def _cost_usd(wiring: Wiring, deployment: str, usage: Usage) -> float:
    nano_usd = wiring.registry.catalog.cost_nano_usd(
        deployment,
        n_input_tokens=usage.n_input_tokens,
        n_cached_input_tokens=usage.n_cached_input_tokens,
        n_cache_write_tokens=usage.n_cache_write_tokens,
        n_output_tokens=usage.n_output_tokens,
        n_reasoning_tokens=usage.n_reasoning_tokens or 0,
    )
    return nano_usd / NANO_USD_PER_USD


def estimated_usage(decision: Decision, n_answer_bytes: int) -> Usage:
    """Usage for an upstream that reported none."""
    return Usage(
        n_input_tokens=decision.n_input_tokens,
        n_output_tokens=-(-n_answer_bytes // _BYTES_PER_TOKEN),
        is_estimated=True,
    )


def answer_bytes(body: Mapping[str, Any]) -> int:
    """Bytes of text in a whole answer."""
    return sum(_text_bytes(choice.get("message")) for choice in body.get("choices") or ())


def delta_bytes(chunk: Mapping[str, Any]) -> int:
    """Bytes of text in a chunk of a stream."""
    return sum(_text_bytes(choice.get("delta")) for choice in chunk.get("choices") or ())


def ends_cut(choice: Mapping[str, Any]) -> bool:
    """Whether a choice ended because its limit of tokens was reached."""
    return choice.get("finish_reason") == "length"


def _text_bytes(message: Any) -> int:
    """Bytes of all that a message or delta says: text, reasoning, refusal, tool calls."""
    if not isinstance(message, dict):
        return 0
    return sum(_said_bytes(value) for name, value in message.items() if name not in _SILENT_FIELDS)


def _said_bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict):
        return sum(_said_bytes(each) for name, each in value.items() if name not in _SILENT_FIELDS)
    return sum(map(_said_bytes, value)) if isinstance(value, list) else 0


def discarded_usd(wiring: Wiring, decision: Decision, discarded: Iterable[Discarded]) -> float:
    """What the calls cost whose answers did not serve; of one that was cut off, its input. US dollars."""
    return sum(
        _cost_usd(
            wiring,
            each.target.deployment,
            each.usage or estimated_usage(decision, answer_bytes(each.body)),
        )
        for each in discarded
    )


def call_of(attempts: Sequence[Attempt], by: AnsweredBy) -> Attempt:
    """The call that gave the answer; at least one was made."""
    for each in reversed(attempts):
        if each.deployment == by.deployment and each.error_code is None:
            return each
    return attempts[-1]
