"""Carrying a decision out: from the cache, by calling models, or as a stream."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from pointsman.execution.direct import within
from pointsman.router.cached import completion_of, kept_of, patience_s
from pointsman.router.caching import Caching
from pointsman.router.learner import Learner
from pointsman.router.plans import fail
from pointsman.router.stream import CompletionStream
from pointsman.router.wiring import (
    answer_bytes,
    baseline_usd,
    call_of,
    costs_usd,
    decision_answer_id,
    discarded_usd,
    ends_cut,
    estimated_usage,
)
from pointsman.types import CACHE_OFF, CacheUse, Completion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pointsman._native import Core, Decision
    from pointsman.cache.kept import KeptAnswer
    from pointsman.cache.visit import Visit
    from pointsman.config import CacheSettings
    from pointsman.execution.attempts import Attempts
    from pointsman.execution.cascade import Discarded
    from pointsman.execution.dispatch import Dispatch
    from pointsman.router.admission import Admission
    from pointsman.router.budgets import Budgets
    from pointsman.router.observers import Observers
    from pointsman.router.plans import Plans
    from pointsman.router.request import ChatRequest
    from pointsman.router.wirings import Wirings


class Carrier:
    """What a router carries its decisions out with.

    Args:
        core: Learns what comes of calls.
        clock: Returns Unix time in seconds.
        cache: The config's cache; `None`: no cache.
        ask: What a model says to a text, for audits of kept answers by a judge.
        admission: Limits and budgets of keys.
        budgets: Budgets of policies.
        dispatch: Calls deployments.
        observers: Told what becomes of every request.
        plans: Carries plans out: one call, a cascade, a race.
        wirings: What requests run on.
    """

    def __init__(
        self,
        core: Core,
        *,
        clock: Callable[[], float],
        cache: CacheSettings | None,
        ask: Callable[[str, str], Awaitable[str]],
        admission: Admission,
        budgets: Budgets,
        dispatch: Dispatch,
        observers: Observers,
        plans: Plans,
        wirings: Wirings,
    ) -> None:
        self._core = core
        self._clock = clock
        self.caching = Caching(cache, self.answer_afresh, ask)
        self._admission = admission
        self._budgets = budgets
        self._dispatch = dispatch
        self._observers = observers
        self._plans = plans
        self._wirings = wirings

    async def run(self, chat: ChatRequest, decision: Decision, started_s: float) -> Completion:
        """Carry a decision out, by a kept answer if one serves; as `Router.run`."""
        attempts = self._dispatch.attempts(decision, chat.request)
        visit = self.caching.visit(chat, decision)
        try:
            with within(chat.request.constraints.deadline_s, attempts):
                if visit is None:
                    answer = await self._call(chat, decision, started_s, attempts)
                else:
                    answer = await self._run_cached(chat, decision, started_s, attempts, visit)
        except BaseException as error:
            self._observers.failed(chat, decision, started_s, attempts.made, error)
            raise
        finally:
            attempts.close()
        self._observers.completed(chat, answer, started_s)
        return answer

    async def _run_cached(
        self, chat: ChatRequest, decision: Decision, started_s: float, attempts: Attempts, visit: Visit
    ) -> Completion:
        wiring = self._wirings.current()
        try:
            kept = await visit.find(patience_s(decision))
            attempts.upstream_s += visit.waited_s
            if kept is None:
                answer = await self._call(chat, decision, started_s, attempts, visit.use)
                visit.keep(kept_of(answer), answer.cost_usd)
                return answer
        finally:
            visit.leave()
        self._served(chat, decision, visit, kept)
        baseline_cost_usd = baseline_usd(wiring, decision, kept.usage)
        return completion_of(kept, visit, decision, baseline_cost_usd, started_s)

    async def _call(
        self,
        chat: ChatRequest,
        decision: Decision,
        started_s: float,
        attempts: Attempts,
        cache: CacheUse = CACHE_OFF,
    ) -> Completion:
        """Call the models of a decision, whatever is in the cache."""
        wiring = self._wirings.current()
        admitted = self._admission.admit(chat, decision, wiring)
        wiring.n_inflight += 1
        learner = self._learner(chat, decision)
        discarded: list[Discarded] = []
        try:
            target, reply = await self._plans.complete(wiring, chat, decision, admitted, attempts, discarded)
        except BaseException as error:
            fail(admitted, wiring, decision, discarded, error)
            raise
        finally:
            learner.failed(attempts.made)
            await self._wirings.leave(wiring)
        usage = reply.usage or estimated_usage(decision, answer_bytes(reply.body))
        reply.body["model"] = target.model
        reply.body["id"] = decision_answer_id(decision)  # feedback is given by either
        cost_usd, baseline_cost_usd = costs_usd(wiring, decision, target, usage)
        cost_usd += discarded_usd(wiring, decision, discarded)
        admitted.settle(cost_usd, usage)
        learner.settled(cost_usd)
        elapsed_s = perf_counter() - started_s
        learner.answered(
            target.deployment,
            usage,
            latency_ms=call_of(attempts.made, target).latency_ms,
            is_cut=any(ends_cut(choice) for choice in reply.body.get("choices") or ()),
        )
        return Completion(
            body=reply.body,
            decision=decision,
            model=target.model,
            deployment=target.deployment,
            provider=target.provider,
            usage=usage,
            cost_usd=cost_usd,
            baseline_cost_usd=baseline_cost_usd,
            latency_ms=elapsed_s * 1e3,
            overhead_us=(elapsed_s - attempts.upstream_s) * 1e6,
            attempts=tuple(attempts.made),
            headers=reply.headers,
            cache=cache,
            audit=self._plans.audit(chat, decision),
        )

    def stream(self, chat: ChatRequest, decision: Decision, started_s: float) -> CompletionStream:
        """Carry a decision out as a stream; as `Router.run_stream`."""
        learner = self._learner(chat, decision)
        visit = self.caching.visit(chat, decision)
        return CompletionStream(
            self._wirings.current(),
            self._wirings.leave,
            chat,
            decision,
            learner,
            started_s,
            self._admission.admit,
            visit,
            self._served,
            self._observers,
            self._plans,
            self._dispatch.attempts(decision, chat.request),
        )

    def _served(self, chat: ChatRequest, decision: Decision, visit: Visit, kept: KeptAnswer) -> None:
        """Tell the budgets that an answer cost nothing, and grade it if it is to be."""
        self._learner(chat, decision).settled(0.0)
        self.caching.audit(chat, decision, visit, kept)

    async def answer_afresh(self, chat: ChatRequest, decision: Decision) -> Completion:
        """Carry a decision out without the cache, and tell no observer."""
        attempts = self._dispatch.attempts(decision, chat.request)
        try:
            return await self._call(chat, decision, perf_counter(), attempts)
        finally:
            attempts.close()

    def _learner(self, chat: ChatRequest, decision: Decision) -> Learner:
        pacers = self._budgets.pacers(chat.policy) if chat.policy.budgets else ()
        return Learner(self._core, chat.request, decision, self._clock, pacers)
