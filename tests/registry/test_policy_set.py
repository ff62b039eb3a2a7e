"""Versions of policies: who serves after which step, whole on the disk whatever happens to who writes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.config import parse_config
from pointsman.errors import ConfigError
from pointsman.registry import registry_from_config
from pointsman.registry.arms import place_of
from pointsman.registry.policies import document_of, policy_of
from pointsman.registry.policy_folder import PolicyFolder
from pointsman.registry.policy_set import PolicySet, PolicyVersion, name_of, version_of

from ..gateway.conftest import config

ROOT = Path(__file__).parents[2]
N_KILLS = 40
EVENT = {"action": "promote", "by": "ann", "at_s": 1.0}


def version(min_quality: float, share: float | None = None) -> PolicyVersion:
    document = {"min_quality": min_quality}
    name = version_of("default", document)
    return PolicyVersion(version=name, document=document, since_s=1.0, share=share)


def served(policies: PolicySet) -> str:
    return name_of(policies.state("default").serving)


def test_promotions_stack_and_rollbacks_take_them_off_again():
    one, two = version(0.1), version(0.2)
    policies = PolicySet().promoted("default", one, EVENT).promoted("default", two, EVENT)
    assert served(policies) == two.version
    seen = []
    for _ in range(2):
        policies = policies.rolled_back("default", {"action": "rollback"})
        seen.append(served(policies))
    assert seen == [one.version, "config"]
    with pytest.raises(ConfigError, match="nothing to roll back"):
        policies.rolled_back("default", EVENT)
    assert [event["action"] for event in policies.events] == ["promote", "promote", "rollback", "rollback"]
    assert policies.events[-1] == {
        "policy": "default", "action": "rollback", "version": one.version, "to": "config"
    }  # fmt: skip


def test_a_rollback_ends_the_canary_first_and_leaves_what_serves():
    policies = PolicySet().promoted("default", version(0.1), EVENT)
    policies = policies.tried("default", version(0.2, 0.05), EVENT)
    policies = policies.rolled_back("default", {"action": "rollback"})
    assert policies.state("default").canary is None
    assert served(policies) == version(0.1).version


def test_a_promotion_ends_the_canary_and_the_shadow_of_the_same_version():
    policies = PolicySet().tried("default", version(0.2, 0.05), EVENT)
    policies = policies.shadowed("default", version(0.2), EVENT).promoted("default", version(0.2), EVENT)
    state = policies.state("default")
    assert (state.canary, state.shadow) == (None, None)
    other = policies.shadowed("default", version(0.3), EVENT).promoted("default", version(0.4), EVENT)
    assert other.state("default").shadow == version(0.3)


def test_what_is_kept_is_what_is_read(tmp_path):
    folder = PolicyFolder(tmp_path / "policies")
    assert folder.load() == PolicySet()
    folder.change(lambda policies: policies.promoted("default", version(0.1), EVENT))
    kept = folder.change(lambda policies: policies.tried("default", version(0.2, 0.25), EVENT))
    assert folder.load() == kept
    assert folder.file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is no policy set"),
        ('{"version": 2}', "version 2, this pointsman reads 1"),
        ('{"version": 1, "policies": {"default": {}}, "events": []}', "is no policy set"),
    ],
)
def test_a_file_that_is_no_set_is_named_and_left_alone(tmp_path, text, said):
    folder = PolicyFolder(tmp_path)
    folder.file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        folder.change(lambda policies: policies.promoted("default", version(0.1), EVENT))
    assert folder.file.read_text() == text


def registry_of(tmp_path, **sections):
    settings = config() | {"promotion": {"path": str(tmp_path)}} | sections
    return registry_from_config(parse_config(settings, source="test"))


def test_a_promoted_version_goes_over_the_config_and_a_rollback_brings_it_back(tmp_path):
    folder = PolicyFolder(tmp_path)
    folder.change(lambda policies: policies.promoted("default", version(0.7), EVENT))
    assert registry_of(tmp_path).policies["default"].constraints.min_quality == 0.7
    folder.change(lambda policies: policies.rolled_back("default", EVENT))
    assert registry_of(tmp_path).policies["default"].constraints.min_quality is None


def test_without_the_section_versions_of_a_folder_do_not_count(tmp_path):
    PolicyFolder(tmp_path).change(lambda policies: policies.promoted("default", version(0.7), EVENT))
    registry = registry_of(tmp_path, promotion=None)
    assert registry.policies["default"].constraints.min_quality is None


def test_a_version_that_names_what_the_config_has_no_more_is_refused(tmp_path):
    document = {"models": ["nano", "gone"], "provider": {"only": ["nobody"]}}
    lacking = PolicyVersion(version=version_of("default", document), document=document, since_s=1.0)
    PolicyFolder(tmp_path).change(lambda policies: policies.promoted("default", lacking, EVENT))
    with pytest.raises(ConfigError, match="no model 'gone' in the config") as refused:
        registry_of(tmp_path)
    assert "no provider 'nobody'" in str(refused.value)


def test_a_version_of_another_release_is_refused_in_words(tmp_path):
    odd = PolicyVersion(version="default@00000000", document={"no_such_field": 1}, since_s=1.0)
    PolicyFolder(tmp_path).change(lambda policies: policies.promoted("default", odd, EVENT))
    with pytest.raises(ConfigError, match="is of another release, or was changed by hand"):
        registry_of(tmp_path)


def test_a_policy_survives_the_way_through_its_document(tmp_path):
    document = {
        "min_quality": 0.8,
        "budget": [{"usd_per_request": 0.002}],
        "provider": {"order": ["alpha"], "max_price": {"prompt": "1.25", "completion": 4}},
        "exploration": True,
        "min_propensity": 0.01,
    }
    configured = registry_of(tmp_path, policies={"same": document}).policies["same"]
    kept = parse_config(config() | {"policies": {"same": document}}, source="x").policies["same"]
    again = policy_of("same", document_of(kept))
    assert again.constraints == configured.constraints
    assert again.preferences == configured.preferences
    assert again.budgets == configured.budgets
    assert configured.version == version_of("same", document_of(kept))


@given(
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
    tenant=st.none() | st.text(max_size=5),
)
def test_a_canary_decides_its_share_of_sessions_and_a_larger_share_keeps_them(share, seed, tenant):
    name = f"default@{seed:08x}"
    places = [place_of(name, tenant, f"session-{i}") for i in range(2_000)]
    n = sum(place < share for place in places)
    # Five standard errors of a binomial: one of 1.7 million draws fails.
    assert abs(n - 2_000 * share) <= 5 * (2_000 * share * (1 - share)) ** 0.5 + 1
    again = [place_of(name, tenant, f"session-{i}") for i in range(2_000)]
    assert places == again
    assert all(0 <= place < 1 for place in places)


def test_canaries_of_two_versions_take_different_sessions():
    both = [
        (place_of("default@1", None, str(i)) < 0.1, place_of("default@2", None, str(i)) < 0.1)
        for i in range(5_000)
    ]
    # Of 500 sessions of the one, 50 are the other's too where they have nothing to do with each other.
    assert 20 < sum(one and other for one, other in both) < 90


def test_forty_kills_in_the_middle_of_promotions_leave_the_old_set_or_the_new_one(tmp_path):
    folder = PolicyFolder(tmp_path / "policies")
    command = [sys.executable, "-m", "tests.registry.policy_writer", str(folder.path)]
    last = 0
    for kill in range(N_KILLS):
        # Killed after so many writes that it told of, in the middle of one after them.
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told = [int(writer.stdout.readline()) for _ in range(1 + kill % 3)]
            os.kill(writer.pid, signal.SIGKILL)
            told += [int(line) for line in writer.stdout if line.endswith("\n")]
        policies = folder.load()
        n = len(policies.events)
        assert n >= told[-1] > last  # what was said to be promoted is
        assert policies.state("default").serving == version(n / 1e6)  # whole, and of the last event
        last = n
    assert last > N_KILLS
