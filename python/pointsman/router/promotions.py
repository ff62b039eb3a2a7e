"""Which version of a policy decides a request; and canaries that are taken back when they are found worse."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from pointsman.errors import ConfigError
from pointsman.learning.feedback import SIGNALS_NAME
from pointsman.registry.arms import place_of
from pointsman.registry.policy_folder import policy_folder
from pointsman.router.canary import MEASURES, RunningCanary, canary_file, rules_of
from pointsman.router.shadow import ShadowTask
from pointsman.types import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman._native import Core
    from pointsman.learning.known import Known
    from pointsman.registry import Policy, Registry
    from pointsman.registry.policy_set import PolicySet
    from pointsman.router.canary import Measure
    from pointsman.router.request import Asking, ChatRequest

_LOG = logging.getLogger("pointsman.promotion")
_JOIN_WITHIN_S = 10.0


class Promotions:
    """The versions of one router's policies. Thread-safe.

    Several processes that share a folder each judge their canaries by themselves, and the first to find one
    worse takes it back for all.
    """

    def __init__(self, core: Core, registry: Registry, clock: Callable[[], float]) -> None:
        self._core = core
        self._clock = clock
        self._running: dict[str, RunningCanary] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._n_rolled_back: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._writers: list[threading.Thread] = []
        self.follow(registry)

    def follow(self, registry: Registry) -> None:
        """Use another registry's versions from now on; a canary that goes on keeps what it showed."""
        self._registry = registry
        folder = policy_folder(registry.promotion)
        before, running = self._running, {}
        for name in registry.arms if folder is not None else ():
            rules = rules_of(registry, name)
            if rules is None or folder is None:
                continue
            known = before.get(name)
            if known is None or known.rules != rules:
                known = RunningCanary(rules, canary_file(folder.path, name))
                if known.is_over:  # found worse before a restart, and nobody could write that down
                    self._take_back(known)
            running[name] = known
        self._running = running

    def resolve(self, asking: Asking) -> Policy:
        """The version that decides a request.

        Raises:
            KeyError: No policy of that name.
        """
        arms = self._registry.arms[asking.policy]
        if asking.is_pinned:
            return arms.pinned
        running = self._running.get(asking.policy)
        if arms.canary is None or running is None or running.is_over:
            return arms.main
        place = (
            random.getrandbits(53) / 2.0**53
            if asking.session_id is None
            else place_of(arms.canary.version, asking.tenant, asking.session_id)
        )
        return arms.canary if place < arms.share else arms.main

    def shadow_of(self, chat: ChatRequest) -> ShadowTask | None:
        """What the shadow of the request's policy is to be asked once the answer has left."""
        arms = self._registry.arms.get(chat.policy.name)
        if arms is None or arms.shadow is None or chat.policy.arm == "pinned" or chat.under is None:
            return None
        return ShadowTask(self._core, arms.shadow, chat.under, self._shadowed)

    # ---- what came of it

    def graded(self, known: Known, grade: float, name: str) -> None:
        """A grade of an answer has come, said by that name for the first time."""
        running = self._judging(known.policy, known.version, known.arm, known.decided_at_s)
        if running is None or known.is_hit:  # a kept answer tells nothing of who decided
            return
        unit, now_s = _unit(known.decision_id, known.session_id, known.tenant), self._clock()
        measure: Measure = "signals" if name == SIGNALS_NAME else "worth"
        if running.graded(measure, unit, known.arm or "", grade, known.cost_usd, now_s):
            self._take_back(running)

    def answered(self, known: Known, *, is_answered: bool) -> None:
        """A request was answered, or nobody did by no fault of the caller."""
        running = self._judging(known.policy, known.version, known.arm, known.decided_at_s)
        if running is None or known.is_hit:
            return
        unit = _unit(known.decision_id, known.session_id, known.tenant)
        if running.answered(unit, known.arm or "", is_answered, self._clock()):
            self._take_back(running)

    def infeasible(self, chat: ChatRequest) -> None:
        """A version's limits exclude every deployment: nobody answers."""
        policy, request, now_s = chat.policy, chat.request, self._clock()
        running = self._judging(policy.name, policy.version, policy.arm, now_s)
        if running is None:
            return
        tenant = request.tenant or DEFAULT_TENANT
        unit = _unit(f"{random.getrandbits(64)}", request.constraints.session_id, tenant)
        if running.answered(unit, policy.arm, False, now_s):
            self._take_back(running)

    def _judging(
        self, policy: str, version: str, arm: str | None, decided_at_s: float
    ) -> RunningCanary | None:
        """The canary that an outcome tells something of; not of what was decided before it, or by others."""
        running = self._running.get(policy)
        if running is None or decided_at_s < running.rules.since_s:
            return None
        rules = running.rules
        is_of_it = version == {"canary": rules.version, "main": rules.against}.get(arm or "")
        return running if is_of_it else None

    def _take_back(self, running: RunningCanary) -> None:
        """Roll a canary back: here it decides no more already; the folder is told in a thread."""
        self._n_rolled_back[running.rules.policy] += 1
        writer = threading.Thread(target=self._roll_back, args=(running,), name="pointsman-rollback")
        self._writers = [one for one in self._writers if one.is_alive()] + [writer]
        writer.start()

    def _roll_back(self, running: RunningCanary) -> None:
        running.save()
        rules, figures = running.rules, running.figures()
        measure = next(name for name in MEASURES if figures[name]["is_worse"])
        found = figures[measure]
        why = (
            f"found worse by {measure}: {found['mean'][1]:.3f} of {found['n'][1]} sessions, others "
            f"{found['mean'][0] or 0:.3f} of {found['n'][0]}; e-value {found['e_value']:.0f}"
        )
        event = {"action": "rollback", "at_s": self._clock(), "by": "pointsman", "why": why, "live": figures}

        def change(policies: PolicySet) -> PolicySet:
            canary = policies.state(rules.policy).canary
            if canary is None or (canary.version, canary.since_s) != (rules.version, rules.since_s):
                return policies  # somebody was quicker
            return policies.rolled_back(rules.policy, event)

        _LOG.error("canary %s of policy %s is rolled back, %s", rules.version, rules.policy, why)
        try:
            folder = policy_folder(self._registry.promotion)
            if folder is not None:
                folder.change(change)
        except ConfigError as error:
            _LOG.error("the rollback of %s is of this process only: %s", rules.version, error)

    def _shadowed(self, policy: str, told: dict[str, Any]) -> None:
        kind = "infeasible" if told.get("error") == "no_feasible_deployment" else "failed"
        if "error" not in told:
            kind = "same" if told["is_same"] else "other"
        with self._lock:
            self._counts[policy, kind] += 1

    # ---- how it stands

    def standing(self) -> dict[str, dict[tuple[str, ...], float]]:
        """How things stand, by the names of `pointsman.observe.gauges`."""
        told: dict[str, dict[tuple[str, ...], float]] = {
            "canary_share": {},
            "canary_e_value": {},
            "canary_sessions": {},
        }
        for policy, running in self._running.items():
            told["canary_share"][policy,] = 0.0 if running.is_over else running.rules.share
            for measure, test in running.tests.items():
                told["canary_e_value"][policy, measure] = test.e_value
            for arm, n in zip(("main", "canary"), running.tests["answers"].n, strict=True):
                told["canary_sessions"][policy, arm] = n
        with self._lock:
            told["shadow_requests"] = {key: float(n) for key, n in self._counts.items()}
        told["rollbacks"] = {(policy,): float(n) for policy, n in self._n_rolled_back.items()}
        return told

    def settle(self) -> None:
        """Wait until rollbacks under way are in the folder."""
        for writer in self._writers:
            writer.join(_JOIN_WITHIN_S)

    def close(self) -> None:
        """Keep what canaries showed."""
        self.settle()
        for running in self._running.values():
            running.save()


def _unit(decision_id: str, session_id: str | None, tenant: str) -> str:
    """What one version decides all of: a session, or a request that names none."""
    return decision_id if session_id is None else f"{tenant}\0{session_id}"
