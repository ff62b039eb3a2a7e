"""Kept answers as whoever keeps the cache sees them: listed, shown, corrected, deleted, counted."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from pointsman.cache.kept import KeptAnswer
from pointsman.cache.tenancy import namespace_of, owns, scope_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman._native import Entry
    from pointsman.cache.store import AnswerCache

# Characters of question and answer that a list shows.
_LISTED_CHARS = 200
# Entries looked at in one call, where a tenant's are sought among all.
_PAGE = 1000


def list_entries(
    cache: AnswerCache, namespace: str | None, *, after: str | None, limit: int, tenant: str | None = None
) -> dict[str, Any]:
    """A page of entries by id, texts clipped.

    Args:
        cache: The cache.
        namespace: Only of this one; `None`: of all.
        after: Only entries whose ids come after this one.
        limit: How many at most.
        tenant: Only this one's; `None`: everyone's.
    """
    if tenant is None or namespace is not None:
        wanted = None if namespace is None else namespace_of(tenant, namespace)
        found = cache.core.entries(wanted, after=after, limit=limit + 1)
    else:
        found = list(islice(_owned(cache, tenant, after), limit + 1))
    page = [_record(entry, _LISTED_CHARS, tenant) for entry in found[:limit]]
    return {"object": "list", "data": page, "has_more": len(found) > limit}


def show_entry(cache: AnswerCache, entry_id: str, tenant: str | None = None) -> dict[str, Any] | None:
    """One entry with its whole answer; `None` if the tenant has none of that id."""
    entry = _entry(cache, entry_id, tenant)
    if entry is None:
        return None
    kept = KeptAnswer.unpack(entry.answer)
    return _record(entry, None, tenant) | {"body": kept.body if kept else None}


def correct_entry(cache: AnswerCache, entry_id: str, answer: str, tenant: str | None = None) -> bool:
    """Put other words in an entry's answer; whether the tenant has such an entry."""
    entry = _entry(cache, entry_id, tenant)
    kept = KeptAnswer.unpack(entry.answer) if entry else None
    if kept is None:
        return False
    is_there = cache.core.replace(entry_id, kept.corrected(answer).pack(), now_s=time.time())
    cache.changed()
    return is_there


def delete_entry(cache: AnswerCache, entry_id: str, tenant: str | None = None) -> bool:
    """Delete an entry; whether the tenant had one."""
    if _entry(cache, entry_id, tenant) is None:
        return False
    was_there = cache.core.delete(entry_id)
    cache.changed()
    return was_there


def clear_entries(cache: AnswerCache, namespace: str | None, tenant: str | None = None) -> int:
    """Delete a namespace's entries, or all the tenant has; how many."""
    if tenant is None or namespace is not None:
        n_deleted = cache.core.clear(None if namespace is None else namespace_of(tenant, namespace))
    else:
        ids = [entry.entry_id for entry in _owned(cache, tenant, None)]
        n_deleted = sum(cache.core.delete(entry_id) for entry_id in ids)
    cache.changed()
    return n_deleted


def count_entries(cache: AnswerCache) -> dict[str, Any]:
    """What is kept, and what became of it since the cache was opened."""
    stats, folder = cache.core.stats(), cache.folder
    names = ("n_entries", "n_partitions", "n_bytes", "max_bytes", "hits", "misses", "n_evicted", "n_expired")
    return {
        **{name: getattr(stats, name) for name in names},
        "n_alarms": stats.n_alarms,
        "target_error": cache.options.target_error,
        "aim": stats.aim,
        "n_dropped_bytes": stats.n_dropped_bytes,
        "n_under_way": len(cache.flights),
        "counts": dict(cache.counts),
        "folder": {"path": str(folder), "is_writable": folder.is_writable} if folder else None,
    }


def count_owned(cache: AnswerCache, tenant: str) -> dict[str, Any]:
    """What is kept of a tenant's; what the cache holds for others is not told."""
    owned = list(_owned(cache, tenant, None))
    return {
        "n_entries": len(owned),
        "n_bytes": sum(entry.n_bytes for entry in owned),
        "n_hits": sum(entry.n_hits for entry in owned),
        "cost_saved_usd": sum(entry.cost_saved_usd for entry in owned),
        "target_error": cache.options.target_error,
    }


def _owned(cache: AnswerCache, tenant: str, after: str | None) -> Iterator[Entry]:
    """A tenant's entries by id, those after an id."""
    while page := cache.core.entries(None, after=after, limit=_PAGE):
        yield from (entry for entry in page if scope_of(tenant, entry.namespace) is not None)
        after = page[-1].entry_id


def _entry(cache: AnswerCache, entry_id: str, tenant: str | None) -> Entry | None:
    cache.insert_waiting()
    return cache.core.get(entry_id) if owns(cache, tenant, entry_id) else None


def _record(entry: Entry, n_chars: int | None, tenant: str | None) -> dict[str, Any]:
    kept = KeptAnswer.unpack(entry.answer)
    return {
        "id": entry.entry_id,
        "object": "cache.entry",
        "namespace": scope_of(tenant, entry.namespace),
        "text": _clipped(entry.text, n_chars),
        "answer": _clipped(kept.text, n_chars) if kept else None,
        "model": kept.model if kept else None,
        "deployment": kept.deployment if kept else None,
        "provider": kept.provider if kept else None,
        "created_s": entry.created_s,
        "expires_s": entry.expires_s,
        "n_hits": entry.n_hits,
        "n_right": entry.n_right,
        "n_wrong": entry.n_wrong,
        "cost_saved_usd": entry.cost_saved_usd,
        "n_bytes": entry.n_bytes,
    }


def _clipped(text: str, n_chars: int | None) -> str:
    return text if n_chars is None or len(text) <= n_chars else text[: n_chars - 1] + "…"
