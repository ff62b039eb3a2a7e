"""Whose entries: a namespace of the core is the tenant and what the request calls its scope.

The default tenant, who asks where there are no keys, has namespaces without a prefix. Neither a tenant's name
nor a scope has a line end, so no scope of one tenant reads as a namespace of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.errors import InvalidInput
from pointsman.types import DEFAULT_TENANT

if TYPE_CHECKING:
    from pointsman.cache.store import AnswerCache


def namespace_of(tenant: str | None, scope: str) -> str:
    """The core's namespace of a tenant's scope."""
    return scope if tenant in (None, DEFAULT_TENANT) else f"{tenant}\n{scope}"


def scope_of(tenant: str | None, namespace: str) -> str | None:
    """The scope that a namespace is to a tenant; `None` if it is another's. The tenant `None` sees all."""
    if tenant is None:
        return namespace
    owner, line_end, scope = namespace.partition("\n")
    if not line_end:
        return namespace if tenant == DEFAULT_TENANT else None
    return scope if owner == tenant else None


def owns(cache: AnswerCache, tenant: str | None, entry_id: str) -> bool:
    """Whether there is such an entry, and it is the tenant's."""
    try:
        entry = cache.core.get(entry_id)
    except InvalidInput:  # not an id at all
        return False
    return entry is not None and scope_of(tenant, entry.namespace) is not None
