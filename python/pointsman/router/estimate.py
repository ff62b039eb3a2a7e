"""What a call may come to, before it is made: what is held for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pointsman._native import Catalog, Decision
    from pointsman.types import Request

_Z_90, _Z_95 = 1.2816, 1.6449
# Token counts of inputs are exact for some models and estimates for others; chosen.
_INPUT_SHARE, _INPUT_TOKENS = 1.15, 16


def likely_tokens(decision: Decision, request: Request) -> tuple[int, int]:
    """Input and output tokens that 19 of 20 such requests stay within.

    The output's 95th percentile is that of the log-normal of the decision's 50th and 90th, at most what the
    caller allows, times the answers asked for.
    """
    n_input = math.ceil(decision.n_input_tokens * _INPUT_SHARE) + _INPUT_TOKENS
    p50, p90 = max(decision.output_tokens_p50, 1.0), max(decision.output_tokens_p90, 1.0)
    n_output = math.ceil(p50 * (p90 / p50) ** (_Z_95 / _Z_90))
    if request.max_output_tokens is not None:
        n_output = min(n_output, request.max_output_tokens)
    return n_input, n_output * request.n_choices


def likely_nano_usd(catalog: Catalog, deployments: Iterable[str], tokens: tuple[int, int]) -> dict[str, int]:
    """What so many input and output tokens cost at each deployment, nothing read from a prompt cache."""
    n_input, n_output = tokens
    return {
        deployment: catalog.cost_nano_usd(deployment, n_input_tokens=n_input, n_output_tokens=n_output)
        for deployment in deployments
    }
