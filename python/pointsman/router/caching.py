"""The cache as the router holds it: opened, swapped, taught by feedback and audits, closed."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from anyio import to_thread

from pointsman.router.cached import Auditor, open_cache, reopen_cache, visit_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pointsman._native import Decision
    from pointsman.cache.kept import KeptAnswer
    from pointsman.cache.store import AnswerCache
    from pointsman.cache.visit import Visit
    from pointsman.config import CacheSettings
    from pointsman.learning.feedback import FeedbackTaken
    from pointsman.router.request import ChatRequest
    from pointsman.types import Completion

_ANSWER_PREFIX = re.compile(r"^(chatcmpl-|msg_|resp_)")


class Caching:
    """The cache of a router, or none.

    Args:
        settings: The config's; `None`: no cache.
        answer_afresh: Carries a decision out without the cache, for audits.
        ask: What a model says to a text, for audits by a judge.
    """

    def __init__(
        self,
        settings: CacheSettings | None,
        answer_afresh: Callable[[ChatRequest, Decision], Awaitable[Completion]],
        ask: Callable[[str, str], Awaitable[str]],
    ) -> None:
        self.cache: AnswerCache | None = open_cache(settings)
        self._answer_afresh = answer_afresh
        self._ask = ask

    def visit(self, chat: ChatRequest, decision: Decision) -> Visit | None:
        """The request's visit; `None` if there is no cache, or it may neither read nor write."""
        return visit_of(self.cache, chat, decision)

    def audit(self, chat: ChatRequest, decision: Decision, visit: Visit, kept: KeptAnswer) -> None:
        """Grade a hit in the background, if it is one to be graded."""
        if visit.wants_audit and self.cache is not None:
            Auditor(self.cache, self._answer_afresh, self._ask).start(chat, decision, visit, kept)

    def graded(self, hit_id: str, *, is_right: bool, weight: float) -> bool:
        """Learn whether a kept answer was right; as `Router.feedback_cache`."""
        own_id = _ANSWER_PREFIX.sub("", hit_id, count=1)
        hit = self.cache.hit_of(own_id) if self.cache else None
        if self.cache is None or hit is None:
            return False
        self.cache.graded(hit, is_right=is_right, weight=weight)
        return True

    def told(self, taken: FeedbackTaken) -> FeedbackTaken:
        """Learn from feedback on an answer that may have come from the cache; what became of it."""
        if not taken.is_hit or taken.grade is None or self.cache is None:
            return taken
        hit = self.cache.hit_of(taken.decision_id)
        if hit is None:
            return taken
        self.cache.graded(hit, is_right=taken.grade >= 0.5, weight=abs(2 * taken.grade - 1))
        is_deleted = self.cache.core.get(hit.entry_id) is None
        return replace(taken, is_learned=True, entry_id=hit.entry_id, is_deleted=is_deleted)

    async def swap(self, settings: CacheSettings | None) -> None:
        """Go on with other settings; what is kept stays, unless it is to be kept in another folder."""
        old, self.cache = self.cache, None
        if old is not None:
            await old.aclose()
        is_in_memory = old is not None and settings is not None and settings.path is None
        snapshot = await to_thread.run_sync(old.core.snapshot) if old is not None and is_in_memory else b""
        self.cache = await to_thread.run_sync(partial(reopen_cache, settings, snapshot))

    async def aclose(self) -> None:
        """Write what is not yet written, and end audits under way."""
        if self.cache is not None:
            await self.cache.aclose()
