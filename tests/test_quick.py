"""A dataclass made quickly is the same dataclass."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from pointsman.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Mixed:
    first: int
    second: str = "b"
    third: dict[str, int] = field(default_factory=dict, kw_only=True)


def test_fields_come_by_place_and_by_name():
    assert repr(Mixed(1)) == "Mixed(first=1, second='b', third={})"
    assert Mixed(1, "c", third={"x": 1}) == Mixed(third={"x": 1}, second="c", first=1) != Mixed(1, "c")


def test_what_a_field_is_made_of_is_made_each_time():
    assert Mixed(1).third is not Mixed(1).third


@pytest.mark.parametrize(("given", "named"), [({}, "first"), ({"first": 1, "other": 2}, "other")])
def test_wrong_arguments_are_named(given, named):
    with pytest.raises(TypeError, match=rf"Mixed.__init__\(\).*{named}"):
        Mixed(**given)
    with pytest.raises(TypeError, match="positional"):
        Mixed(1, "b", {})


def test_it_stays_frozen_and_can_be_copied():
    one = Mixed(1, third={"x": 1})
    with pytest.raises(FrozenInstanceError):
        one.first = 2
    with pytest.raises(AttributeError):
        del one.second
    assert replace(one, first=3) == Mixed(3, third={"x": 1})
    assert copy.copy(one) == copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one


def test_a_class_with_work_of_its_own_is_refused():
    @dataclass(frozen=True, slots=True)
    class Works:
        x: int

        def __post_init__(self) -> None:
            raise AssertionError

    with pytest.raises(TypeError, match="__post_init__"):
        quick(Works)
