"""Tokens straight into the ledger: what stands behind them, and that the ledger's own rules hold."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from relay.domain.authorization.consent import Authentication, ConsentState
from relay.domain.authorization.issued_tokens import TokenKind, TokenState
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.schema import upgrade
from relay.infra.ledger.sql_ledger import open_ledger
from relay.policy.call.withheld import FLAGS
from relay.policy.consent.particulars import checked, scopes_of
from relay.runtime.wiring.seed_tokens import Handout, consent_for, hand_out
from relay.standard.catalogue import load_catalogue

NOW = datetime(2024, 1, 1, 20, tzinfo=UTC)  # the second in Korea
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
INDUSTRIES = sorted({industry for api in load_catalogue().data() for industry in api.industries})


@pytest.fixture
async def ledger(tmp_path):
    url = f"sqlite:{tmp_path / 'ledger.db'}"
    await upgrade(url)
    ledger = await open_ledger(url, Sealer([CustomerKey("one", bytes(32))]), 1)
    yield ledger
    await ledger.close()


def handed(ci="the-ci", **changed):
    handout = Handout(CLAIMS | changed, ci)
    return handout, consent_for(handout, NOW)


def test_the_customer_consents_to_everything_for_a_year():
    _, consent = handed()
    told = consent.particulars
    assert (consent.provider, consent.operator, consent.client_id) == ("ZBAA000001", "ZOPA000001", "one")
    assert (consent.authentication, consent.ci, consent.given_at) == (Authentication.INTEGRATED, "the-ci", 1704139200)
    assert {target.scope: target.assets for target in told.targets} == {"bank.list": None, "bank.deposit": None}
    assert (told.is_scheduled, told.end_date, told.is_consent_trans_memo) == (True, date(2024, 12, 31), True)


@pytest.mark.parametrize("industry", INDUSTRIES)
def test_a_consent_of_every_industry_is_one_that_the_standard_knows(industry):
    """Flags stand in consents of the industries that have them, and in no other (규격 6.2)."""
    scopes = scopes_of(industry, load_catalogue())
    _, consent = handed(scope=" ".join(scopes))
    assert checked(consent.particulars, scopes, date(2024, 1, 2)) == ()
    told = {name for name in FLAGS if getattr(consent.particulars, name)}
    assert told == FLAGS_OF.get(industry, set())


async def test_a_token_opens_what_stands_behind_it(ledger):
    await hand_out(ledger, [handed(), handed("another-ci", jti="b")], NOW)
    for jti, ci in (("a", "the-ci"), ("b", "another-ci")):
        record, consent = await ledger.consent_behind(jti)
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
async def test_a_second_consent_replaces_the_first_of_its_like(ledger, changed, replaced):
    await hand_out(ledger, [handed()], NOW)
    await hand_out(ledger, [handed(**changed | {"jti": "b"})], NOW)
    record, consent = await ledger.consent_behind("a")
    assert (record.state is TokenState.REVOKED, consent.state is ConsentState.REPLACED) == (replaced, replaced)


async def test_a_consent_of_ones_own_is_taken_as_it_is(ledger):
    handout, consent = handed()
    mine = replace(consent, particulars=replace(consent.particulars, is_scheduled=False, fnd_cycle="", add_cycle=""))
    await hand_out(ledger, [(handout, mine)], NOW)
    assert (await ledger.consent_behind("a"))[1].particulars == mine.particulars


def test_nobody_reads_the_customer_off_it():
    handout, consent = handed()
    assert "the-ci" not in f"{handout!r} {consent!r}"
