"""What a combiner learned, read back: every field is checked, as the bytes may come from anywhere."""

from __future__ import annotations

import math
from typing import Any

import orjson

from pointsman.errors import InvalidState

VERSION = 1
_N_HINT, _N_CALIBRATION, _N_GATES = 4, 8, 4
_LARGEST = 1e15

Hints = dict[str, list[float]]
Calibrations = list[tuple[tuple[str, str], list[float]]]
Gates = list[tuple[tuple[str, ...], list[float]]]


def read_state(data: bytes) -> tuple[Hints, Calibrations, Gates]:
    """The counts of hints by name, of calibrations by model and structure, of gates by model and cell.

    Raises:
        InvalidState: Not what `Combiner.save` gives, or of another version.
    """
    try:
        document = orjson.loads(data)
        version = document["version"]
        if version != VERSION:
            raise InvalidState(
                f"saved state: version {version!r}, this release reads {VERSION}: "
                "start without it and learn anew from the log"
            )
        hints = {_text(name): _counts(counts, _N_HINT) for name, counts in document["hints"].items()}
        calibrations = [
            ((_text(model), _text(structure)), _numbers(state, _N_CALIBRATION))
            for model, structure, state in document["calibrations"]
        ]
        gates = [(tuple(map(_text, cell)), _counts(counts, _N_GATES)) for cell, counts in document["gates"]]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InvalidState):
            raise
        raise InvalidState(f"saved state: damaged ({error!r:.120}): restore a backup") from None
    return hints, calibrations, gates


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no name")
    return value


def _numbers(values: Any, n: int) -> list[float]:
    if len(values) != n or not all(isinstance(each, int | float) for each in values):
        raise ValueError(f"{values!r:.60} are not {n} numbers")
    if not all(math.isfinite(each) and abs(each) <= _LARGEST for each in values):
        raise ValueError(f"{values!r:.60} are out of range")
    return [float(each) for each in values]


def _counts(values: Any, n: int) -> list[float]:
    numbers = _numbers(values, n)
    if min(numbers) < 0.0:
        raise ValueError(f"{values!r:.60} are no counts")
    return numbers
