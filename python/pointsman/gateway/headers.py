"""The `x-pointsman-*` headers of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.gateway.asgi import Headers, encode_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman._native import Decision
    from pointsman.execution.direct import Target
    from pointsman.gateway.failure import Failure
    from pointsman.types import Completion


def completion_headers(answer: Completion) -> Headers:
    """Headers of a whole answer; costs are what it cost."""
    return encode_headers(
        {
            **_choice(answer.decision, answer.deployment, answer.model, answer.provider),
            "x-pointsman-cost-usd": f"{answer.cost_usd:.9f}",
            "x-pointsman-baseline-cost-usd": f"{answer.baseline_cost_usd:.9f}",
            "x-pointsman-attempts": str(len(answer.attempts)),
            "x-pointsman-overhead-us": f"{answer.overhead_us:.1f}",
            **answer.headers,
        }
    )


def stream_headers(
    decision: Decision, target: Target, n_attempts: int, overhead_us: float, upstream: Mapping[str, str]
) -> Headers:
    """Headers of a stream; costs are the predicted ones, as nothing is spent yet."""
    choice = _choice(decision, target.deployment, target.model, target.provider)
    return encode_headers({**choice, **_predicted(decision, n_attempts, overhead_us), **upstream})


def decision_headers(decision: Decision, overhead_us: float) -> Headers:
    """Headers of a decision that nobody was called for."""
    choice = _choice(decision, decision.deployment, decision.model, decision.provider)
    return encode_headers({**choice, **_predicted(decision, 0, overhead_us)})


def failure_headers(failure: Failure, decision: Decision | None, overhead_us: float) -> Headers:
    """Headers of an error; those of the decision too, if one was made."""
    pairs: dict[str, str] = {}
    if decision is not None:
        pairs |= _choice(decision, decision.deployment, decision.model, decision.provider)
    elif decision_id := failure.body["error"]["decision_id"]:
        pairs["x-pointsman-decision-id"] = decision_id
    pairs["x-pointsman-attempts"] = str(failure.attempts)
    pairs["x-pointsman-overhead-us"] = f"{overhead_us:.1f}"
    if failure.retry_after_s is not None:
        pairs["retry-after"] = str(failure.retry_after_s)
    return encode_headers(pairs)


def _choice(decision: Decision, deployment: str, model: str, provider: str) -> dict[str, str]:
    return {
        "x-pointsman-decision-id": decision.decision_id,
        "x-pointsman-model": model,
        "x-pointsman-deployment": deployment,
        "x-pointsman-provider": provider,
        "x-pointsman-strategy": decision.strategy,
        "x-pointsman-policy-version": decision.policy_version,
        "x-pointsman-reason": decision.reason,
        "x-pointsman-predicted-quality": f"{decision.predicted_quality:.4f}",
        "x-pointsman-confidence": f"{decision.confidence:.4f}",
        "x-pointsman-cache": "miss",
    }


def _predicted(decision: Decision, n_attempts: int, overhead_us: float) -> dict[str, str]:
    return {
        "x-pointsman-cost-usd": f"{decision.predicted_cost_usd:.9f}",
        "x-pointsman-baseline-cost-usd": f"{decision.baseline_cost_usd:.9f}",
        "x-pointsman-attempts": str(n_attempts),
        "x-pointsman-overhead-us": f"{overhead_us:.1f}",
    }
