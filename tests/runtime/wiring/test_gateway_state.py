"""Tests of the gateway's state: pools are built without use, and kept where nothing changed."""

import json

import pytest
import yaml

from relay.policy.call.parties import Parties
from relay.policy.settings.directory import Directory
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.gateway_state import prepare_gateway_state

BANK, CARD = "ZBAA000001", "ZCDA000001"


def change(environment, name, **values):
    file = environment.folder / name
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | values, allow_unicode=True))


def prepare(environment, current=None):
    """Prepares a state; pools are pairs of institution and context."""
    return prepare_gateway_state(load_settings(environment.settings, {}), current, lambda *parts: list(parts))


def test_every_institution_has_a_pool_with_its_context(environment):
    state = prepare(environment)
    assert set(state.pools) == set(state.upstreams) == set(state.plan.institutions)
    for code, (_, (institution, context)) in state.pools.items():
        assert institution is state.plan.institutions[code]
        assert (context is None) == (institution.settings.ca is None)


@pytest.mark.parametrize("values", [{"concurrency": 3}, {"queue": 3}, {"base_urls": ["https://127.0.0.1:1"]}])
def test_only_a_changed_institution_gets_a_new_pool(environment, values):
    first = prepare(environment)
    change(environment, "providers/bank.yaml", **values)
    second = prepare(environment, first)
    assert first.find_replaced_pools(second) == [first.pools[BANK][1]]
    assert second.pools[BANK][1] is not first.pools[BANK][1]
    assert second.pools[CARD] is first.pools[CARD]
    assert second.upstreams[BANK][0] is second.pools[BANK][1]


def test_a_changed_certificate_replaces_the_pools_that_show_it(environment):
    first = prepare(environment)
    certificate = environment.folder / "certs" / "relay.pem"
    certificate.write_text(certificate.read_text() + "\n")
    replaced = first.find_replaced_pools(prepare(environment, first))
    users = [file for file in first.loaded.providers if file.certificate == str(certificate)]
    assert len(replaced) == len(users) > 0


def test_an_institution_may_be_added_and_removed(environment):
    first = prepare(environment)
    bank = environment.folder / "providers" / "bank.yaml"
    content = bank.read_text()
    bank.unlink()
    second = prepare(environment, first)
    assert BANK not in {**second.pools, **second.upstreams, **second.limits.data.providers}
    assert first.find_replaced_pools(second) == [first.pools[BANK][1]]
    bank.write_text(content)
    third = prepare(environment, second)
    assert third.pools[BANK][1] is not first.pools[BANK][1]
    assert second.find_replaced_pools(third) == []


def test_other_parties_change_the_callers_alone(environment):
    state = prepare(environment)
    assert state.with_parties(state.parties) is state
    empty = Parties.from_directory(Directory())
    changed = state.with_parties(empty)
    assert (changed.parties, changed.plan.callers.all) == (empty, ())
    assert (changed.pools, changed.upstreams) == (state.pools, state.upstreams)


def test_all_operators_together_call_the_authority_ten_times_as_often(environment):
    limits = prepare(environment).limits.authority
    (total,) = limits.providers.values()
    assert total.per_second == 10 * limits.operator_provider.per_second


def test_verified_tokens_are_kept_while_their_keys_are_the_same(environment):
    first = prepare(environment)
    change(environment, "providers/bank.yaml", concurrency=3)
    assert prepare(environment, first).token_verifier is first.token_verifier


def test_changed_keys_or_settings_of_tokens_forget_verified_tokens(environment):
    first = prepare(environment)
    tokens = yaml.safe_load((environment.folder / "relay.yaml").read_text())["tokens"]
    change(environment, "relay.yaml", tokens=tokens | {"leeway_s": 4})
    second = prepare(environment, first)
    assert second.token_verifier is not first.token_verifier
    (file,) = environment.folder.glob("certs/**/jwks.json")
    file.write_text(json.dumps({"keys": json.loads(file.read_text())["keys"][1:]}))
    assert prepare(environment, second).token_verifier is not second.token_verifier
