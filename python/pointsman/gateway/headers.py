"""The `x-pointsman-*` headers of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.gateway.asgi import Headers, encode_headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman._native import Decision
    from pointsman.gateway.failure import Failure
    from pointsman.router import CompletionStream
    from pointsman.router.embeddings import Embedding
    from pointsman.types import AnsweredBy, Attempt, Completion


# What every answer's headers name; an error has `none` where there is nothing to say.
_NONE = dict.fromkeys(
    (
        "x-pointsman-decision-id",
        "x-pointsman-model",
        "x-pointsman-deployment",
        "x-pointsman-provider",
        "x-pointsman-strategy",
        "x-pointsman-policy-version",
        "x-pointsman-reason",
        "x-pointsman-predicted-quality",
        "x-pointsman-confidence",
        "x-pointsman-baseline-cost-usd",
        "x-pointsman-cache",
    ),
    "none",
)


def completion_headers(answer: Completion) -> Headers:
    """Headers of a whole answer; costs are what it cost."""
    choice = _choice(answer.decision, answer, answer.attempts, answer.cache.status)
    costs = _costs(answer.cost_usd, answer.baseline_cost_usd)
    return encode_headers(
        {
            **choice,
            **costs,
            **_effort(len(answer.attempts), answer.overhead_us),
            **_audit(answer.audit),
            **answer.headers,
        }
    )


def stream_headers(stream: CompletionStream, overhead_us: float) -> Headers:
    """Headers of an open stream; costs are the predicted ones, as nothing is spent yet."""
    attempts = stream.attempts.made
    choice = _choice(stream.decision, stream.target, attempts, stream.cache.status)
    costs = _costs(*stream.expected_costs_usd)
    effort = _effort(len(attempts), overhead_us)
    return encode_headers({**choice, **costs, **effort, **_audit(stream.audit), **stream.headers})


def embedding_headers(made: Embedding) -> Headers:
    """Headers of embeddings; vectors have no baseline, and no quality is predicted of them."""
    choice = _choice(made.decision, made, made.attempts)
    choice |= dict.fromkeys(("x-pointsman-predicted-quality", "x-pointsman-confidence"), "none")
    costs = {"x-pointsman-cost-usd": _usd(made.cost_usd), "x-pointsman-baseline-cost-usd": "none"}
    return encode_headers(
        {**choice, **costs, **_effort(len(made.attempts), made.overhead_us), **made.headers}
    )


def decision_headers(decision: Decision, overhead_us: float) -> Headers:
    """Headers of a decision that nobody was called for; costs are the predicted ones."""
    choice = _choice(decision, decision, (), decision.cache_status)
    cost_usd = decision.predicted_cost_usd if decision.cache_status == "miss" else 0.0
    costs = _costs(cost_usd, decision.baseline_cost_usd)
    return encode_headers({**choice, **costs, **_effort(0, overhead_us)})


def failure_headers(failure: Failure, decision: Decision | None, overhead_us: float) -> Headers:
    """Headers of an error: it cost nothing, and names the decision if one was made."""
    pairs = dict(_NONE)
    if decision is not None:
        pairs |= _choice(decision, decision, ())
        pairs |= _costs(0.0, decision.baseline_cost_usd)
    elif decision_id := failure.body["error"]["decision_id"]:
        pairs["x-pointsman-decision-id"] = decision_id
    pairs["x-pointsman-cost-usd"] = _usd(0.0)
    pairs |= _effort(failure.attempts, overhead_us)
    if failure.status == 401:
        pairs["www-authenticate"] = "Bearer"
    if failure.retry_after_s is not None:
        pairs["retry-after"] = str(failure.retry_after_s)
    return encode_headers(pairs)


def _choice(
    decision: Decision, answered_by: AnsweredBy, attempts: Sequence[Attempt], cache: str = "miss"
) -> dict[str, str]:
    reason = decision.reason
    is_fallback = decision.strategy == "direct" and answered_by.deployment != decision.deployment
    if is_fallback and attempts:
        # Where no call has failed, the one chosen first was not called: it did not fit a budget.
        why = attempts[0].error_code or "policy_budget"
        reason = f"fallback from {decision.deployment} ({why}); chosen first: {reason}"
    return {
        "x-pointsman-decision-id": decision.decision_id,
        "x-pointsman-model": answered_by.model,
        "x-pointsman-deployment": answered_by.deployment,
        "x-pointsman-provider": answered_by.provider,
        "x-pointsman-strategy": decision.strategy,
        "x-pointsman-policy-version": decision.policy_version,
        "x-pointsman-reason": reason,
        "x-pointsman-predicted-quality": f"{decision.predicted_quality:.4f}",
        "x-pointsman-confidence": f"{decision.confidence:.4f}",
        "x-pointsman-cache": cache,
    }


def _costs(cost_usd: float, baseline_cost_usd: float) -> dict[str, str]:
    return {"x-pointsman-cost-usd": _usd(cost_usd), "x-pointsman-baseline-cost-usd": _usd(baseline_cost_usd)}


def _effort(n_attempts: int, overhead_us: float) -> dict[str, str]:
    return {"x-pointsman-attempts": str(n_attempts), "x-pointsman-overhead-us": f"{overhead_us:.1f}"}


def _audit(feedback: str | None) -> dict[str, str]:
    return {} if feedback is None else {"x-pointsman-audit": feedback}


def _usd(cost_usd: float) -> str:
    """Exact to the nano-dollar, never in exponent form."""
    return f"{cost_usd:.9f}"
