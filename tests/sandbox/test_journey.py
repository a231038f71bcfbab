"""An operator's day with errands that go as a test says: what is told of it, and when a revocation counts."""

from types import SimpleNamespace

import pytest

from relay.sandbox import journey as room
from relay.sandbox.errands import Tokens
from relay.sandbox.journey import AUTHORITY_CALLS, Journey
from relay.sandbox.login import LOGINS
from relay.sandbox.operator import Call
from relay.sandbox.phone import PretendedPhone
from relay.standard.catalogue import load_catalogue

CATALOGUE = load_catalogue()
INTEGRATED = "통합인증-002"


class Errands:
    """Errands without a relay. `failing` are API ids, or (API id, industry), whose calls go wrong."""

    def __init__(self, *failing):
        self.failing, self.done = set(failing), []

    def _call(self, api_id, at):
        self.done.append((api_id, at.industry))
        ok = self.failing.isdisjoint({api_id, (api_id, at.industry)})
        return Call(api_id, at.industry, at.org_code, "POST", "/", ok=ok, why=[] if ok else ["as asked"])

    async def individual(self, at, customer, phone):
        assert isinstance(phone, PretendedPhone)
        assert customer is LOGINS[0].customer
        calls = [self._call("개별인증-001", at)]
        if calls[-1].ok:
            calls.append(self._call("개별인증-002", at))
        return calls, Tokens("first", "refresh") if calls[-1].ok else None

    async def refresh(self, at, tokens):
        call = self._call("개별인증-003", at)
        return call, Tokens("renewed", tokens.refresh) if call.ok else None

    async def revoke(self, at, tokens, customer):
        assert (tokens.access, customer) == ("renewed", LOGINS[0].customer)
        return self._call("개별인증-004", at)

    async def by_certificate(self, at, customer, certifiers):
        return self._signed(at, "certificate")

    async def by_provider(self, at, customer, certifiers):
        return self._signed(at, "provider")

    def _signed(self, at, way):
        call = self._call(INTEGRATED, at)
        return call, Tokens(f"{way}.{at.industry}", "refresh") if call.ok else None


class Operator:
    """Asks with a token and is answered by these rsp_codes in turn, the last for ever."""

    def __init__(self, *codes):
        self.codes, self.asked = list(codes), []

    async def ask(self, api, visit):
        self.asked.append((api.api_id, visit.token))
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        return SimpleNamespace(rsp_code=code)


@pytest.fixture
def day(built):
    """A journey with these errands; `.told` are the calls that were told."""

    def begin(*failing):
        told = []
        journey = Journey(Errands(*failing), built, told.append)
        return SimpleNamespace(journey=journey, told=told)

    return begin


def ids(told):
    return [(call.api_id, call.ok) for call in told]


async def test_each_api_of_the_authority_is_reported_once(day):
    today = day()
    await today.journey.obtain()
    await today.journey.end(Operator("40101"), CATALOGUE)
    assert ids(today.told) == [
        ("개별인증-001", True),
        ("개별인증-002", True),
        ("개별인증-003", True),
        (INTEGRATED, True),
        ("개별인증-004", True),
    ]
    assert len(today.told) == AUTHORITY_CALLS


async def test_each_institution_gets_its_own_token(day, built):
    visits = await day().journey.obtain()
    assert [visit.org_code for visit in visits] == [house.org_code for house in built.institutions.values()]
    first, *others = visits
    assert first.token == "renewed"
    assert [visit.token for visit in others[:3]] == ["certificate.card", "provider.invest", "certificate.insu"]
    assert len({visit.token for visit in visits}) == 11


@pytest.mark.parametrize(
    ("failing", "told"),
    [
        ("개별인증-001", [("개별인증-001", False)]),
        ("개별인증-002", [("개별인증-001", True), ("개별인증-002", False)]),
        ("개별인증-003", [("개별인증-001", True), ("개별인증-002", True), ("개별인증-003", False)]),
    ],
)
async def test_a_failed_first_token_does_not_stop_the_scenario(day, failing, told):
    today = day(failing)
    visits = await today.journey.obtain()
    await today.journey.end(Operator("00000"), CATALOGUE)
    assert ids(today.told) == [*told, (INTEGRATED, True)]
    assert [visit.industry for visit in visits if not visit.token] == ["bank"]


async def test_each_failed_call_is_reported(day):
    failing = [(INTEGRATED, industry) for industry in ("invest", "telecom", "usury")]
    today = day(*failing)
    visits = await today.journey.obtain()
    told = [(call.industry, call.ok) for call in today.told if call.api_id == INTEGRATED]
    assert told == [("card", True), ("invest", False), ("telecom", False), ("usury", False)]
    assert [visit.industry for visit in visits if not visit.token] == ["invest", "telecom", "usury"]


async def test_a_revoked_token_is_used_until_it_is_refused(day, monkeypatch):
    monkeypatch.setattr(room, "_POLL_S", 0)
    today, operator = day(), Operator("00000", "00000", "40101")
    await today.journey.obtain()
    await today.journey.end(operator, CATALOGUE)
    assert operator.asked == [("정보제공-공통-002", "renewed")] * 3
    assert ids(today.told)[-1] == ("개별인증-004", True)


async def test_a_revoked_token_that_is_accepted_is_a_failure(day, monkeypatch):
    monkeypatch.setattr(room, "_POLL_S", 0)
    monkeypatch.setattr(room, "CUT_OFF_S", 0)
    today = day()
    await today.journey.obtain()
    await today.journey.end(Operator("00000"), CATALOGUE)
    call = today.told[-1]
    assert (call.api_id, call.ok) == ("개별인증-004", False)
    assert "got 00000" in call.why[0]


async def test_a_failed_revocation_is_reported_and_not_checked(day):
    today, operator = day("개별인증-004"), Operator("00000")
    await today.journey.obtain()
    await today.journey.end(operator, CATALOGUE)
    assert (ids(today.told)[-1], operator.asked) == (("개별인증-004", False), [])
