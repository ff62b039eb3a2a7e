"""A shadow policy's decision: made when the answer has left, by whoever logs it, and never carried out."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pointsman.errors import NoFeasibleDeployment, RequestError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman._native import Core, Decision
    from pointsman.registry import Policy
    from pointsman.types import Request

_LOG = logging.getLogger("pointsman.promotion")


class ShadowTask:
    """What a shadow is still to be asked about one request."""

    __slots__ = ("_core", "_policy", "_tell", "_under")

    def __init__(
        self,
        core: Core,
        policy: Policy,
        under: Callable[[Policy], Request],
        tell: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """Make one.

        Args:
            core: Decides.
            policy: The shadow.
            under: What the request is under a policy.
            tell: Told the policy's name and the choice.
        """
        self._core = core
        self._policy = policy
        self._under = under
        self._tell = tell

    def choice(self, served: Decision, now_s: float) -> dict[str, Any]:
        """What the shadow would have chosen, beside what was; never raises.

        Returns:
            `version`, and `deployment`, `model`, `propensity`, `quality`, `cost_usd` (predicted), `is_same`,
            `quality_difference` and `cost_difference_usd` (predicted, shadow less served), `decide_us`; or
            `error`, a code.
        """
        started_s = perf_counter()
        told: dict[str, Any] = {"version": self._policy.version}
        try:
            decision = self._core.decide(self._under(self._policy), now_s=now_s, seed=0)
            told |= _beside(decision, served)
        except NoFeasibleDeployment:
            told["error"] = "no_feasible_deployment"
        except (RequestError, UnknownName) as error:
            told["error"] = getattr(error, "code", "caller_unknown_name")
        except Exception:  # whatever it was: nobody asked for it
            _LOG.exception("shadow %s failed", self._policy.version)
            told["error"] = "pointsman_internal"
        told["decide_us"] = (perf_counter() - started_s) * 1e6
        self._tell(self._policy.name, told)
        return told


def _beside(decision: Decision, served: Decision) -> dict[str, Any]:
    # Both as predicted now: what was learned since the other was made is no difference between them.
    quality, cost_usd = decision.quality_of(served.deployment), decision.cost_usd_of(served.deployment)
    return {
        "deployment": decision.deployment,
        "model": decision.model,
        "propensity": decision.propensity,
        "quality": decision.predicted_quality,
        "cost_usd": decision.predicted_cost_usd,
        "is_same": decision.deployment == served.deployment,
        "quality_difference": decision.predicted_quality - quality,
        "cost_difference_usd": decision.predicted_cost_usd - cost_usd,
    }
