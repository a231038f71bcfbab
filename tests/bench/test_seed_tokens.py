"""Tests of tokens written into the ledger: their consents, and the ledger's rules."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from harness.seed_tokens import SeedToken, build_consent, record_seed_tokens

from relay.domain.authorization.consent import Authentication, ConsentState
from relay.domain.authorization.issued_tokens import TokenKind, TokenState
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import create_ledger
from relay.infra.ledger.upgrading import upgrade
from relay.policy.call.withheld import FLAGS
from relay.policy.consent.particulars import find_flaws, get_scopes
from relay.standard.catalogue import load_catalogue

NOW = datetime(2024, 1, 1, 20, tzinfo=UTC)  # January 2 in Korea
CLAIMS = {
    "jti": "a",
    "org_code": "ZBAA000001",
    "aud": "ZOPA000001",
    "client_id": "one",
    "scope": "bank.list bank.deposit",
    "exp": 2_000_000_000,
}

MEMO, MERCHANT, CATEGORY = FLAGS
FLAGS_OF = {
    "bank": {MEMO, MERCHANT},
    "card": {MERCHANT},
    "invest": {MEMO},
    "efin": {MEMO, MERCHANT, CATEGORY},
    "telecom": {MERCHANT},
}
"""규격 6.2; the other industries have none."""
INDUSTRIES = sorted({industry for api in load_catalogue().iter_data_apis() for industry in api.industries})


@pytest.fixture
async def ledger(tmp_path):
    url = f"sqlite:{tmp_path / 'ledger.db'}"
    await upgrade(url)
    ledger = create_ledger(url, Sealer([CustomerKey("one", bytes(32))]), 1)
    yield ledger
    await ledger.close()


def seed_with_consent(ci="the-ci", **changed):
    seed = SeedToken(CLAIMS | changed, ci)
    return seed, build_consent(seed, NOW)


def test_the_consent_covers_all_assets_for_a_year():
    _, consent = seed_with_consent()
    particulars = consent.particulars
    assert (consent.provider, consent.operator, consent.client_id) == ("ZBAA000001", "ZOPA000001", "one")
    assert (consent.authentication, consent.ci, consent.given_at) == (Authentication.INTEGRATED, "the-ci", 1704139200)
    assert {target.scope: target.assets for target in particulars.targets} == {"bank.list": None, "bank.deposit": None}
    assert (particulars.is_scheduled, particulars.is_consent_trans_memo) == (True, True)
    assert particulars.end_date == date(2024, 12, 31)


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_the_consent_of_each_industry_fits_the_standard(industry):
    """Only consents of industries that define flags have them (규격 6.2)."""
    scopes = get_scopes(industry, load_catalogue())
    _, consent = seed_with_consent(scope=" ".join(scopes))
    assert find_flaws(consent.particulars, scopes, date(2024, 1, 2)) == ()
    flags = {name for name in FLAGS if getattr(consent.particulars, name)}
    assert flags == FLAGS_OF.get(industry, set())


async def test_a_token_is_recorded_with_its_consent(ledger):
    await record_seed_tokens(ledger, [seed_with_consent(), seed_with_consent("another-ci", jti="b")], NOW)
    for jti, ci in (("a", "the-ci"), ("b", "another-ci")):
        record, consent = await ledger.find_token_and_consent(jti)
        assert (record.kind, record.state, record.expires_at) == (TokenKind.ACCESS, TokenState.LIVE, 2_000_000_000)
        assert (consent.ci, consent.state, record.scope) == (ci, ConsentState.ACTIVE, "bank.list bank.deposit")


@pytest.mark.parametrize(
    ("changed", "replaced"),
    [
        ({}, True),
        ({"ci": "another-ci"}, False),
        ({"client_id": "two"}, False),
        ({"org_code": "ZBAA000002"}, False),
    ],
)
async def test_a_second_consent_replaces_the_first(ledger, changed, replaced):
    await record_seed_tokens(ledger, [seed_with_consent()], NOW)
    await record_seed_tokens(ledger, [seed_with_consent(**changed | {"jti": "b"})], NOW)
    record, consent = await ledger.find_token_and_consent("a")
    assert (record.state is TokenState.REVOKED, consent.state is ConsentState.REPLACED) == (replaced, replaced)


async def test_a_given_consent_is_recorded_unchanged(ledger):
    seed, consent = seed_with_consent()
    changed = replace(consent, particulars=replace(consent.particulars, is_scheduled=False, fnd_cycle="", add_cycle=""))
    await record_seed_tokens(ledger, [(seed, changed)], NOW)
    assert (await ledger.find_token_and_consent("a"))[1].particulars == changed.particulars


def test_repr_does_not_show_the_customer():
    seed, consent = seed_with_consent()
    assert "the-ci" not in f"{seed!r} {consent!r}"
