"""The router: one object that decides and carries the decision out.

async with Router.from_config("pointsman.yaml") as router:
    answer = await router.complete("What is the capital of Norway?", max_cost_usd=0.001)
    print(answer.text, answer.model, answer.cost_usd, answer.decision.reason)
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

import orjson
from anyio import to_thread

from pointsman._native import Core
from pointsman.errors import NoFeasibleDeployment, RequestError, UnknownName
from pointsman.execution.dispatch import Dispatch
from pointsman.providers import build_provider
from pointsman.router.admission import Admission
from pointsman.router.audits import JUDGE_TAG
from pointsman.router.budgets import Budgets
from pointsman.router.cached import foreseen
from pointsman.router.carrier import Carrier
from pointsman.router.certificates import certificates
from pointsman.router.embeddings import Embedder, Embedding
from pointsman.router.fields import nearest
from pointsman.router.ledger import Ledger
from pointsman.router.observers import Observers
from pointsman.router.parts import configure, load_registry, unknown_name
from pointsman.router.plans import Plans
from pointsman.router.promotions import Promotions
from pointsman.router.request import Asking, ChatRequest, chat_body
from pointsman.router.rewards import RewardObserver, rewarding
from pointsman.router.wiring import Wiring
from pointsman.router.wirings import Wirings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from pointsman._native import Decision, Planner
    from pointsman.cache.store import AnswerCache
    from pointsman.config import SignalSettings
    from pointsman.execution.gate import DeploymentState, HealthEvent
    from pointsman.keys import Key
    from pointsman.learning.feedback import FeedbackTaken
    from pointsman.providers import Provider, ProviderSettings
    from pointsman.registry import Policy, Registry
    from pointsman.router.stream import CompletionStream
    from pointsman.store.store import DecisionStore
    from pointsman.types import Certificate, Completion, Observer, Outcome

_AVAILABLE_STRATEGIES = ("auto", "direct", "cascade", "race")


class Router:
    """Routes chat requests over the deployments of a registry.

    Works under asyncio and trio; safe to share between tasks. `decide` is synchronous and may be called from
    any thread. Providers are connected to lazily, and closed by `aclose` or the end of `async with`.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        providers: Mapping[str, Provider] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a router.

        Args:
            registry: What may be routed to.
            providers: Adapters to use for the named providers instead of building them from their settings,
                e.g. a `ScriptedProvider`, or an `OpenAIProvider` over your own `httpx.AsyncClient`.
            clock: Returns Unix time in seconds; another one for tests in virtual time.
        """
        self._clock = clock
        self._injected = dict(providers or {})
        self._core = Core(registry.catalog)
        self._dispatch = Dispatch(self._core, clock)
        configure(self._dispatch, registry)
        self._budgets = Budgets()
        self._wirings = Wirings(Wiring(registry, self._build(registry, {})))
        self._admission = Admission(registry, clock=clock)
        self._observers = Observers()
        self._embedder = Embedder(registry, self._admission, self._observers, clock)
        self._promotions = Promotions(self._core, registry, clock)
        self._plans = Plans()
        self._carrier = Carrier(
            self._core,
            clock=clock,
            cache=registry.cache,
            ask=self._ask,
            admission=self._admission,
            budgets=self._budgets,
            dispatch=self._dispatch,
            observers=self._observers,
            plans=self._plans,
            wirings=self._wirings,
        )
        self._caching = self._carrier.caching
        self._ledger = Ledger(self._core, registry, self._promotions, self._plans.learners())
        self._observers.add(self._ledger)
        self._signals: RewardObserver | None = None
        self._use_signals(registry.signals)

    @classmethod
    def from_config(
        cls,
        config: str | Path | Mapping[str, Any] | None = None,
        *,
        providers: Mapping[str, Provider] | None = None,
    ) -> Self:
        """Make a router from a config file, a mapping of the same shape, or (`None`) the environment.

        Raises:
            ConfigError: Every problem found, one line each.
        """
        return cls(load_registry(config), providers=providers)

    @property
    def registry(self) -> Registry:
        """What is routed to now."""
        return self._wirings.now.registry

    # ---- deciding

    def decide(
        self, messages: str | Sequence[Mapping[str, Any]], *, model: str = "auto", **arguments: Any
    ) -> Decision:
        """Decide without calling anyone; arguments as `complete`. A kept answer that would serve is told.

        Raises:
            NoFeasibleDeployment: The constraints exclude every deployment.
            RequestError: The request cannot be understood.
        """
        chat = self.parse(chat_body(messages, model, stream=False, arguments=arguments), {})
        return self.foreseen(chat, self.decide_request(chat))

    def parse(
        self, body: Any, headers: Mapping[str, str], *, cache_control: str = "", key: Key | None = None
    ) -> ChatRequest:
        """Read a key's OpenAI chat body and `x-pointsman-*` headers (names without that prefix)."""
        policy = partial(self._policy, key=key)
        chat = ChatRequest.parse(body, headers, policy, cache_control=cache_control, key=key)
        shadow = self._promotions.shadow_of(chat)
        return chat if shadow is None else replace(chat, shadow=shadow)

    def foreseen(self, chat: ChatRequest, decision: Decision) -> Decision:
        """The decision as `run` would carry it out now: by a kept answer, if one serves."""
        return foreseen(self._caching.cache, chat, decision)

    def decide_request(self, chat: ChatRequest) -> Decision:
        """Decide a parsed request now; errors as `decide`."""
        self._admission.take_request(chat.key)
        strategy = chat.request.constraints.strategy
        if strategy not in _AVAILABLE_STRATEGIES:
            raise RequestError(
                f"strategy {strategy!r} is not available in this version; "
                f"use {' or '.join(_AVAILABLE_STRATEGIES)}",
                code="policy_strategy_unavailable",
                param="pointsman.strategy",
            )
        try:
            decision = self._core.decide(chat.request, now_s=self._clock(), seed=random.getrandbits(64))
        except UnknownName as error:
            raise unknown_name(str(error.args[0])) from None
        except NoFeasibleDeployment:
            self._promotions.infeasible(chat)
            raise
        return self._plans.planned(decision, chat, self._wirings.now)

    # ---- answering

    async def complete(
        self, messages: str | Sequence[Mapping[str, Any]], *, model: str = "auto", **arguments: Any
    ) -> Completion:
        """Answer a conversation with the right model.

        Args:
            messages: OpenAI chat messages, or a string for one user message.
            model: `auto`, `auto:POLICY`, or a model's name to pin it.
            **arguments: Constraints (`max_cost_usd`, `max_latency_ms`, `min_quality`, ...: the fields of the
                `pointsman` block), OpenAI's chat parameters, `models`, `provider`, `extra_body`.

        Raises:
            NoFeasibleDeployment: The constraints exclude every deployment.
            RequestError: The request cannot be understood.
            ProviderError: The deployments that might answer all failed.
        """
        started_s = perf_counter()
        chat = self.parse(chat_body(messages, model, stream=False, arguments=arguments), {})
        return await self.run(chat, self.decide_request(chat), started_s)

    def stream(
        self, messages: str | Sequence[Mapping[str, Any]], *, model: str = "auto", **arguments: Any
    ) -> CompletionStream:
        """Answer as a stream of OpenAI chunks; arguments and errors as `complete`, raised on the first chunk.

        `async for chunk in router.stream(...)`, or `async with router.stream(...) as stream` to be able to
        leave early with the upstream call closed at once.
        """
        started_s = perf_counter()
        chat = self.parse(chat_body(messages, model, stream=True, arguments=arguments), {})
        return self.run_stream(chat, self.decide_request(chat), started_s)

    async def run(self, chat: ChatRequest, decision: Decision, started_s: float) -> Completion:
        """Carry a decision out; `started_s` is the `perf_counter` at which the request came in."""
        return await self._carrier.run(chat, decision, started_s)

    async def embed(self, texts: str | Sequence[Any], *, model: str, **parameters: Any) -> Embedding:
        """Embed texts with a model whose capability that is.

        Args:
            texts: A text, or a list of texts or token ids.
            model: Name of the model; vectors of different models cannot be compared, so there is no `auto`.
            **parameters: OpenAI's: `dimensions`, `encoding_format`, `user`.

        Raises:
            RequestError: No embedding model of that name, or an input that is none.
            ProviderError: The model's deployments all failed.
        """
        return await self.run_embedding({"model": model, "input": texts, **parameters}, perf_counter())

    async def run_embedding(self, body: Any, started_s: float, *, key: Key | None = None) -> Embedding:
        """Answer an embeddings body; `started_s` as in `run`, errors as `embed`."""
        wiring = self._wirings.current()
        wiring.n_inflight += 1
        try:
            return await self._embedder.run(wiring, body, key, started_s)
        finally:
            await self._wirings.leave(wiring)

    def run_stream(self, chat: ChatRequest, decision: Decision, started_s: float) -> CompletionStream:
        """Carry a decision out as a stream; `started_s` as in `run`."""
        return self._carrier.stream(chat, decision, started_s)

    # ---- watching

    def deployments(self) -> tuple[DeploymentState, ...]:
        """How each deployment is now: breaker, load, limits; those that chat first. From any thread."""
        return (*self._dispatch.gate.states(), *self._embedder.states())

    def add_health_listener(self, listener: Callable[[HealthEvent], None]) -> None:
        """Tell `listener` of every change of a deployment's state from now on; it must be quick.

        The same changes are logged by the logger `pointsman.health`.
        """
        self._dispatch.gate.listen(listener)
        self._embedder.listen(listener)

    def add_observer(self, observer: Observer) -> None:
        """Tell `observer` what becomes of every request from now on."""
        self._observers.add(observer)

    @property
    def signals(self) -> RewardObserver | None:
        """What looks at answers and learns from them, if the config has a `signals` section."""
        return self._signals

    @property
    def planner(self) -> Planner:
        """Plans cascades; graded answers teach it (`observe_verdict`, `observe_pair`) what to plan with."""
        return self._plans.planner

    def _use_signals(self, settings: SignalSettings | None) -> None:
        if self._signals is not None:
            self._observers.remove(self._signals)
        self._signals = rewarding(settings, self._signals, self._signalled, self._ask, self._plans)
        self._plans.rewards = self._signals
        if self._signals is not None:
            self._observers.add(self._signals)

    # ---- limits

    @property
    def promotions(self) -> Promotions:
        """Which version of each policy decides, and how their canaries stand."""
        return self._promotions

    @property
    def admission(self) -> Admission:
        """What requests may cost, and how many there may be."""
        return self._admission

    # ---- learning

    @property
    def store(self) -> DecisionStore | None:
        """The decision log, if the config has one."""
        return self._ledger.store

    def observe(self, outcome: Outcome) -> None:
        """Learn what came of a call that this router did not make, or a grade that comes later (`reward`).

        Calls the router makes are learned from by itself.

        Raises:
            InvalidInput: A number that is NaN or out of range, an unknown label.
            UnknownName: A deployment that is not in the registry.
        """
        self._core.observe(outcome, now_s=self._clock())

    def certificates(self) -> tuple[Certificate, ...]:
        """The quality floors that are certified now, by slice and deployment."""
        return certificates(self.floors())

    def floors(self) -> list[dict[str, Any]]:
        """What is certified, what was found broken and what still gathers audits: `GET /v1/certificates`."""
        listed: list[dict[str, Any]] = orjson.loads(self._core.floors())
        return listed

    async def feedback(
        self,
        decision_id: str | None,
        value: bool | float | Mapping[str, str],
        *,
        name: str = "feedback",
        source: str = "user",
        tenant: str | None = None,
    ) -> FeedbackTaken:
        """Learn how good an answer was, now or days later.

        Said again by the same `name` and `source`, it replaces what was said before. All that is said of an
        answer counts as one outcome, by its mean. Of an answer from the cache, the cache learns.

        Args:
            decision_id: Id of the decision, or of the answer (`chatcmpl-...`). `None` of a preference.
            value: Good or not, how good in [0, 1], or which was better, `{"chosen": ID, "rejected": ID}`.
            name: What was judged, such as `thumbs`.
            source: Who judged.
            tenant: Only a decision of this tenant; `None`: of any.

        Raises:
            RequestError: No such decision of that tenant, nobody answered it, or no such value.
            StoreUnavailable: It is no recent one, and the decision log cannot be read now.
        """
        taken = await self._ledger.feedback(decision_id, value, name=name, source=source, tenant=tenant)
        if self._signals is not None and taken.grade is not None:
            self._signals.graded(taken.decision_id, taken.grade, name)
        return self._caching.told(taken)

    def _signalled(self, outcome: Outcome) -> None:
        """Take what verifiers say of an answer; of the one served, beside what else is said of it."""
        decision_id = outcome.decision.decision_id if outcome.decision is not None else ""
        if not self._ledger.signalled(decision_id, outcome):
            self.observe(outcome)

    def reward(
        self, decision_id: str, value: float, *, name: str, source: str, weight: float = 1.0
    ) -> FeedbackTaken | None:
        """A reward for a recent decision of this router has come: as `feedback`, from any thread, at once.

        Args:
            decision_id: Id of the decision.
            value: How good the answer was, in [0, 1].
            name: What was judged.
            source: Who judged.
            weight: What it counts beside what else is said of the answer, in [0, 1].

        Returns:
            What became of it; `None`: the decision is not among the recent ones.
        """
        taken = self._ledger.reward(decision_id, value, name=name, source=source, weight=weight)
        if self._signals is not None and taken is not None:
            self._signals.graded(decision_id, value, name)
        return taken

    # ---- the cache

    @property
    def cache(self) -> AnswerCache | None:
        """The cache, if the config has one."""
        return self._caching.cache

    def feedback_cache(self, hit_id: str, is_right: bool, *, weight: float = 1.0) -> bool:
        """Learn whether a kept answer was right; a wrong one is deleted if that is certain.

        Args:
            hit_id: Id of the decision that was answered from the cache not long ago, of its answer
                (`chatcmpl-...`, `msg_...`, `resp_...`), or of the cache's entry.
            is_right: Whether the answer was right for what was asked.
            weight: How sure that is, in [0, 1]; 1 is certain.

        Returns:
            Whether there is such a hit or entry.
        """
        return self._caching.graded(hit_id, is_right=is_right, weight=weight)

    async def _ask(self, model: str, text: str) -> str:
        # The default policy's floor is for those who ask, not for the judge that the config names.
        own = {"min_quality": 0.0, "quality_like": model, "strategy": "direct"}
        answer = await self.complete(text, model=model, cache={"mode": "off"}, tags=[JUDGE_TAG], **own)
        return answer.text

    # ---- life

    async def swap(self, registry: Registry) -> None:
        """Route on another registry from now on; requests under way finish on the old one.

        Providers whose settings are unchanged keep their connections.
        """
        old = self._wirings.now
        wiring = Wiring(registry, self._build(registry, old.providers))
        self._core.swap(registry.catalog)
        self._admission.swap(registry)
        configure(self._dispatch, registry)
        self._embedder.swap(registry)
        self._promotions.follow(registry)
        await self._wirings.swap(wiring)
        if registry.cache != old.registry.cache:
            await self._caching.swap(registry.cache)
        await self._ledger.swap(registry)
        self._use_signals(registry.signals)

    def follow_policies(self, registry: Registry) -> None:
        """Let other versions of the policies decide from now on; `registry` differs in nothing else."""
        self._promotions.follow(registry)
        self._wirings.now.registry = registry

    async def aclose(self) -> None:
        """Close every provider's idle connections and take no more requests; those under way may finish."""
        self._wirings.refuse()
        if self._signals is not None:
            await self._signals.aclose()
        await self._caching.aclose()
        await self._ledger.aclose()
        await to_thread.run_sync(self._promotions.close)
        self._admission.close()
        await self._wirings.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # ---- inside

    def _policy(self, asking: Asking, key: Key | None) -> Policy:
        try:
            policy = self._promotions.resolve(asking)
        except KeyError:
            known = self._wirings.now.registry.arms
            raise RequestError(
                f"unknown policy {asking.policy!r}{nearest(asking.policy, known)}",
                code="policy_not_found",
                param="model",
                status=404,
            ) from None
        return self._admission.priced(self._budgets.priced(policy), key)

    def _build(
        self, registry: Registry, existing: Mapping[ProviderSettings, Provider]
    ) -> dict[ProviderSettings, Provider]:
        return {
            settings: self._injected.get(settings.name) or existing.get(settings) or build_provider(settings)
            for settings in registry.providers
        }
