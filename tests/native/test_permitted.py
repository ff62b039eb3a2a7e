"""`Request.permitted_models`: what the caller may use, in no order."""

import pytest

from pointsman._native import NoFeasibleDeployment
from pointsman.router import Router

from ..gateway.conftest import config


def decide(router, permitted, model="auto", **block):
    from pointsman.keys import Key

    body = {"model": model, "messages": [{"role": "user", "content": "Prove it."}], "pointsman": block}
    key = Key(key_id="k", digest=bytes(32), models=permitted)
    return router.decide_request(router.parse(body, {}, key=key))


def test_what_is_not_permitted_is_rejected_and_the_list_is_no_order():
    router = Router.from_config(config())
    for permitted in (("nano", "middle"), ("middle", "nano")):
        decision = decide(router, permitted, "auto:best")
        assert decision.model == "middle"
        assert "frontier@gamma" not in decision.ranking
        assert b'"permitted_models"' in decision.to_json()
        assert decide(router, permitted, "auto:cheap").model == "nano"
    assert decide(router, None, "auto:best").model == "frontier"


def test_the_error_names_the_remedy():
    with pytest.raises(NoFeasibleDeployment, match="permit more models"):
        decide(Router.from_config(config()), ("gone",))
