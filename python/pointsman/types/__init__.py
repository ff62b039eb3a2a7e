"""What travels between the layers: frozen dataclasses with the unit in the name."""

from pointsman.types.asked import (
    DIAL_FIELDS,
    NO_CONSTRAINTS,
    NO_PREFERENCES,
    Budget,
    Constraints,
    ProviderPreferences,
    Request,
)
from pointsman.types.labels import (
    DEFAULT_TENANT,
    NANO_USD_PER_USD,
    Arm,
    CacheLayer,
    CacheMode,
    Complexity,
    Domain,
    LatencyClass,
    Strategy,
    Structure,
)
from pointsman.types.outcome import (
    Attempt,
    Certificate,
    Outcome,
    Usage,
)
from pointsman.types.served import (
    CACHE_OFF,
    AnsweredBy,
    CacheUse,
    Completion,
    Observer,
    Served,
    Shadow,
)

__all__ = [
    "CACHE_OFF",
    "DEFAULT_TENANT",
    "DIAL_FIELDS",
    "NANO_USD_PER_USD",
    "NO_CONSTRAINTS",
    "NO_PREFERENCES",
    "AnsweredBy",
    "Arm",
    "Attempt",
    "Budget",
    "CacheLayer",
    "CacheMode",
    "CacheUse",
    "Certificate",
    "Completion",
    "Complexity",
    "Constraints",
    "Domain",
    "LatencyClass",
    "Observer",
    "Outcome",
    "ProviderPreferences",
    "Request",
    "Served",
    "Shadow",
    "Strategy",
    "Structure",
    "Usage",
]
