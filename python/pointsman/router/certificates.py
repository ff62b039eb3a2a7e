"""What the core has certified, as `Certificate` objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.types import Certificate

if TYPE_CHECKING:
    from collections.abc import Iterable


def certificates(floors: Iterable[dict[str, Any]]) -> tuple[Certificate, ...]:
    """The certificates of the core's list of floors, in its order."""
    return tuple(
        Certificate(deployment=floor["deployment"], grader=floor["grader"], **floor["slice"], **certificate)
        for floor in floors
        for certificate in floor["certificates"]
    )
