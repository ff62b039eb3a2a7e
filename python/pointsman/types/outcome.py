"""What came of a call, and what is certified by many.

The core reads `Outcome` attribute by attribute (see `rust/pointsman-py/src`), so a field renamed here is
renamed there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pointsman.quick import quick

if TYPE_CHECKING:
    from pointsman._native import Decision


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answered call, as the provider reported them.

    Attributes:
        n_input_tokens: All input tokens, cached ones included.
        n_cached_input_tokens: Those of them read from the provider's prompt cache.
        n_cache_write_tokens: Those of them written to it, where the provider bills that apart.
        n_output_tokens: All output tokens, reasoning included.
        n_reasoning_tokens: Those of them spent on reasoning; `None`: not reported.
        is_estimated: True when the provider reported none and we counted ourselves.
    """

    n_input_tokens: int = 0
    n_cached_input_tokens: int = 0
    n_cache_write_tokens: int = 0
    n_output_tokens: int = 0
    n_reasoning_tokens: int | None = None
    is_estimated: bool = False


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call to one deployment, answered or not.

    Attributes:
        deployment: Name of the deployment called.
        status: Upstream HTTP status, `None` if there was no answer.
        error_code: `provider_*` code of the failure, `None` on success.
        latency_ms: Time from sending to the complete answer (stream: to the first token).
        is_rejected: Whether it was answered and the answer not kept: another step of a cascade was taken.
    """

    deployment: str
    status: int | None
    error_code: str | None
    latency_ms: float
    is_rejected: bool = False


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one call, for `Core.observe`. `None` means: not known, and not learned from.

    A grade that comes later is an outcome of its own, with `reward` and without times and output tokens.

    Attributes:
        deployment: Name of the deployment that was called.
        domain: The decision's label.
        complexity: The decision's label.
        structure: The decision's label.
        task: Name the caller gave the task.
        decision: The decision that the call carried out; a session it belongs to is warm there now.
        features: The decision's `features`, for a reward that comes when the decision is gone; without
            either a reward teaches only what labels can tell.
        n_input_tokens: Input tokens.
        n_cached_input_tokens: Those of them read from the provider's prompt cache; `None`: not reported.
        n_cache_write_tokens: Those of them written to it.
        n_output_tokens: Output tokens of one answer, reasoning included.
        n_reasoning_tokens: Those of them spent on reasoning; 0 where they are not told apart.
        is_cut: Whether the answer was cut short, so that its length is only known to be larger.
        ttft_ms: Time to the first token, in [0, 1e9]; `None` if the answer came in one piece.
        latency_ms: Time to the last token or to the failure, in [0, 1e9].
        is_error: Whether the call failed.
        reward: How good the answer was, in [0, 1].
        verdict: How good a grader whose word counts for quality floors found the answer, in [0, 1]. `None`
            with an `audit_share`: the reward is the verdict; without a reward either, an audit that brought
            none, which counts as failed.
        audit_share: Probability with which this call came to be graded, in (0, 1]: 1 if every call like it
            is, the share of a random audit. `None`: unknown. Only with it a verdict certifies a floor,
            weighted by one over it; without, a verdict can raise an alarm, and a reward teaches and no more.
        grader: Who gave the verdict. Another name than before starts the slice's floors anew.
        grader_tpr: Share of good answers that the grader passes, in [0, 1]; floors are corrected for it.
        grader_fpr: Share of bad answers that it passes, in [0, 1], at least 0.01 below.
        predicted_quality: The decision's `predicted_quality`, where the decision itself is gone; without
            either it is predicted anew.
        weight: What the reward counts for, in [0, 100]; more than 1 where such grades seldom come.
        replaces: The reward that was learned of this answer before, with the same weight; `reward` takes its
            place.
        is_top_up: Whether the weight comes on top of that with which this answer was learned before: it
            teaches, and floors and their monitors do not take it for a further answer.
    """

    deployment: str
    domain: str
    complexity: str
    structure: str
    task: str | None = None
    decision: Decision | None = None
    features: bytes | None = None
    n_input_tokens: int = 0
    n_cached_input_tokens: int | None = None
    n_cache_write_tokens: int = 0
    n_output_tokens: int | None = None
    n_reasoning_tokens: int = 0
    is_cut: bool = False
    ttft_ms: float | None = None
    latency_ms: float | None = None
    is_error: bool = False
    reward: float | None = None
    verdict: float | None = None
    audit_share: float | None = None
    grader: str | None = None
    grader_tpr: float = 1.0
    grader_fpr: float = 0.0
    predicted_quality: float | None = None
    weight: float = 1.0
    replaces: float | None = None
    is_top_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A quality floor that holds for a deployment in a slice.

    With confidence `1 - delta` the mean reward of what is served from `threshold` up is at least
    `min_quality`; of answers that pass or fail at most the share `alpha` fails. It is a certificate by the
    grader's word, corrected for its known errors, for traffic like the audited one.

    Attributes:
        deployment: Who serves.
        task: Name the caller gave the task, if any; with the labels, the slice.
        domain: Label of the slice.
        complexity: Label of the slice.
        structure: Label of the slice.
        grader: Whose word it is; `None`: the caller's, of `Router.observe`.
        min_quality: The floor, in (0, 1).
        alpha: `1 - min_quality`.
        delta: Chance that this deployment's certificates of this floor in this slice are ever wrong.
        n: Audited answers it rests on.
        n_failed: Sum of their losses, `1 - reward`.
        threshold: Least predicted quality that is served.
        certified_at_s: When, Unix seconds.
    """

    deployment: str
    task: str | None
    domain: str
    complexity: str
    structure: str
    grader: str | None
    min_quality: float
    alpha: float
    delta: float
    n: int
    n_failed: float
    threshold: float
    certified_at_s: float
