"""What a router keeps of its decisions: the recent ones, its store, what was learned of them."""

from __future__ import annotations

import logging
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from anyio import CancelScope, to_thread

from pointsman.errors import ConfigError, RequestError
from pointsman.learning.feedback import (
    DEFAULT_NAME,
    DEFAULT_SOURCE,
    SIGNALS_NAME,
    FeedbackDesk,
    decision_id_of,
    read_value,
)
from pointsman.learning.known import MAX_KNOWN, Case, RecentCases, case_of_rows, known_of
from pointsman.router.learned import Knowledge, LearnedState, StateFile, StateRow
from pointsman.store.rows import readable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman._native import Core
    from pointsman.config import LearningSettings, StoreSettings
    from pointsman.learning.feedback import FeedbackTaken
    from pointsman.learning.known import Known
    from pointsman.registry import Registry
    from pointsman.router.learned import Learns
    from pointsman.router.promotions import Promotions
    from pointsman.store.store import DecisionStore
    from pointsman.types import Outcome, Served

_LOG = logging.getLogger("pointsman.store")
# How long a reader of the log waits for what is on its way there.
_FLUSH_WITHIN_S = 2.0
_MAX_EARLY = 4_096
# Of errors that tell something of the policy that led there.
_AT_FAULT = ("provider_", "pointsman_")


class Ledger:
    """An observer of every request: remembers it, logs it where the config says so, and takes feedback on it.

    Attributes:
        store: The decision log; `None`: the config has none.
    """

    def __init__(
        self,
        core: Core,
        registry: Registry,
        promotions: Promotions,
        learners: Mapping[str, Learns] | None = None,
    ) -> None:
        """Open what the config names, and load what was learned.

        Args:
            core: Decides, and learns what came of it.
            registry: What is routed to.
            promotions: Is told what answers were worth.
            learners: What others learn is kept with what the core does, by a name each.

        Raises:
            ConfigError: The store cannot be used.
        """
        self._core = core
        self._settings = (registry.store, registry.learning)
        self.store = _opened(registry.store)
        self._knowledge = Knowledge(core, learners or {})
        self._learned = _learned(self._knowledge, registry.learning, self.store)
        self._recent = RecentCases()
        self._early: dict[str, list[Outcome]] = {}
        self._promotions = promotions
        self._desk = FeedbackDesk(core, self._log_feedback, graded=promotions.graded)

    # ---- watching

    @property
    def wants_answers(self) -> bool:
        """Only to keep them."""
        return self.store is not None and self.store.options.prompts == "full"

    def served(self, served: Served) -> None:
        """Take note of one request; a few microseconds, rows are made in the store's thread."""
        known = known_of(served)
        self._recent.add(known)
        self._desk.arrivals.decided(known.slice, known.decided_at_s)
        if served.error_code is None or served.error_code.startswith(_AT_FAULT):
            self._promotions.answered(known, is_answered=served.error_code is None)
        if self.store is not None:
            self.store.log(served)
            for outcome in self._early.pop(known.decision_id, ()):
                self._log_feedback(_verdict_row(known, outcome, time()))

    # ---- feedback

    async def feedback(
        self,
        decision_id: str | None,
        value: Any,
        *,
        name: str = DEFAULT_NAME,
        source: str = DEFAULT_SOURCE,
        tenant: str | None = None,
        weight: float = 1.0,
    ) -> FeedbackTaken:
        """As `Router.feedback`."""
        read = read_value(value)
        if isinstance(read, tuple):
            chosen, rejected = [await self._case(one, tenant) for one in read]
            return self._desk.prefer(chosen, rejected, name, source, weight=weight)
        if decision_id is None:
            raise RequestError("give the decision_id or response_id of what is graded", param="decision_id")
        case = await self._case(decision_id, tenant)
        return self._desk.grade(case, read, name, source, weight=weight)

    def reward(
        self, decision_id: str, value: float, *, name: str, source: str, weight: float = 1.0
    ) -> FeedbackTaken | None:
        """A reward for a decision of this process has come, from any thread; `None`: it is not remembered.

        Of one answer all rewards and feedback make one outcome, their mean by weight.
        """
        case = self._recent.get(decision_id)
        return None if case is None else self._desk.grade(case, value, name, source, weight=weight)

    def signalled(self, decision_id: str, outcome: Outcome) -> bool:
        """Take what verifiers say of the answer that was served; `False`: it is another, or forgotten."""
        case = self._recent.get(decision_id)
        if outcome.audit_share is not None:
            self._log_verdict(decision_id, case, outcome)
        if case is None or case.known.deployment != outcome.deployment or outcome.reward is None:
            return False
        name = outcome.grader or SIGNALS_NAME
        self._desk.grade(case, outcome.reward, name, "pointsman", weight=outcome.weight)
        return True

    async def _case(self, given: str, tenant: str | None) -> Case:
        decision_id = decision_id_of(given)
        case = self._recent.get(decision_id)
        if case is None and self.store is not None:
            # Shielded by nothing: whoever goes away meanwhile has said nothing yet.
            case = await to_thread.run_sync(_read_case, self.store, decision_id)
            case = None if case is None else self._recent.adopt(case)
        if case is None or tenant not in (None, case.known.tenant):
            raise unknown_decision(given, has_log=self.store is not None)
        return case

    def _log_verdict(self, decision_id: str, case: Case | None, outcome: Outcome) -> None:
        """Log what an audit found, with its probability; it weighs nothing beside feedback.

        Of a cascade's earlier steps it may come before the request is over, and waits for that.
        """
        if self.store is None:
            return
        if case is not None:
            self._log_feedback(_verdict_row(case.known, outcome, time()))
            return
        self._early.setdefault(decision_id, []).append(outcome)
        if len(self._early) > _MAX_EARLY:
            del self._early[next(iter(self._early))]

    def _log_feedback(self, row: dict[str, Any]) -> None:
        if self.store is not None:
            self.store.log_feedback(row)

    # ---- life

    async def swap(self, registry: Registry) -> None:
        """Go on with other settings; a store that cannot be used is logged, and none kept until the next."""
        settings = (registry.store, registry.learning)
        if settings == self._settings:
            return
        is_other_store = registry.store != self._settings[0]
        self._settings = settings
        await to_thread.run_sync(self._close_state)
        if is_other_store:
            old, self.store = self.store, None
            if old is not None:
                await to_thread.run_sync(old.close)
            try:
                self.store = await to_thread.run_sync(_opened, registry.store)
            except ConfigError as error:
                _LOG.error("%s; decisions are not logged until the next reload", error)
        # What is learned goes on from here; what another place holds is of another time.
        self._learned = await to_thread.run_sync(
            _learned, self._knowledge, registry.learning, self.store, False
        )

    async def aclose(self) -> None:
        """Save what was learned, write what waits, and disconnect."""
        with CancelScope(shield=True):
            await to_thread.run_sync(self.close)

    def close(self) -> None:
        """As `aclose`, in this thread."""
        self._close_state()
        if self.store is not None:
            self.store.close()

    def _close_state(self) -> None:
        learned, self._learned = self._learned, None
        if learned is not None:
            learned.close()


def _verdict_row(known: Known, outcome: Outcome, now_s: float) -> dict[str, Any]:
    said = "" if outcome.verdict is not None else ", unanswered"
    return {
        "decision_id": known.decision_id,
        "name": outcome.grader,
        "source": f"audit {outcome.audit_share:g} of {outcome.deployment}{said}",
        "rejected_id": "",
        "value": outcome.verdict or 0.0,
        "weight": 0.0,
        "tenant": known.tenant,
        "given_at_s": now_s,
    }


def unknown_decision(given: str, *, has_log: bool) -> RequestError:
    """The error for an id that is nobody's, or another tenant's."""
    remedy = "give the x-pointsman-decision-id of an answer"
    if not has_log:
        remedy += f"; without a `store:` in the config, only the last {MAX_KNOWN:,} of this process are known"
    return RequestError(
        f"there is no decision {given!r:.80}; {remedy}",
        code="caller_unknown_decision",
        param="decision_id",
        status=404,
    )


def explained(store: DecisionStore, decision_id: str, tenant: str | None = None) -> dict[str, Any] | None:
    """A logged Decision as the HTTP contract has it, with what became of it; `None`: none of that tenant.

    Raises:
        StoreUnavailable: The log cannot be read now.
    """
    row = store.find(decision_id, tenant)
    if row is None and store.n_waiting and store.flush(_FLUSH_WITHIN_S):
        row = store.find(decision_id, tenant)
    if row is None:
        return None
    seen = readable(row)
    record: dict[str, Any] = seen.pop("record")
    features, prompt, answer = seen.pop("features"), seen.pop("prompt"), seen.pop("answer")
    outcome = {name: value for name, value in seen.items() if name not in record}
    outcome |= {"deployment": row["deployment"], "model": row["model"], "provider": row["provider"]}
    outcome |= {"n_feature_bytes": len(features)}
    feedback = [
        {name: value for name, value in one.items() if name not in ("decision_id", "tenant")}
        for one in store.feedback_on(decision_id)
    ]
    return {**record, "outcome": outcome, "feedback": feedback, "prompt": prompt, "answer": answer}


def _read_case(store: DecisionStore, decision_id: str) -> Case | None:
    row = store.find(decision_id)
    return None if row is None else case_of_rows(row, store.feedback_on(decision_id))


def _opened(settings: StoreSettings | None) -> DecisionStore | None:
    if settings is None:
        return None
    try:
        # Here, not above: only who has a store pays for its database layer.
        from pointsman.store.store import open_store
    except ModuleNotFoundError as error:
        raise ConfigError([f"store: needs {error.name}; pip install 'pointsman[store]'"]) from None
    return open_store(settings)


def _learned(
    learner: Learns, settings: LearningSettings, store: DecisionStore | None, loads: bool = True
) -> LearnedState | None:
    if settings.state is not None:
        return LearnedState(learner, StateFile(Path(settings.state)), settings.save_every_s, loads=loads)
    if store is not None:
        return LearnedState(learner, StateRow(store), settings.save_every_s, loads=loads)
    return None
