"""The token scenario with a fake client: reported calls, and when a revocation is effective."""

from types import SimpleNamespace

import pytest
from mydata_sandbox.customer.browser_client import BrowserClient
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.operator.authority_client import Tokens
from mydata_sandbox.operator.client import Call
from mydata_sandbox.scenarios import tokens as module
from mydata_sandbox.scenarios.tokens import AUTHORITY_CALLS, TokenScenario

from relay.standard.catalogue import load_catalogue

CATALOGUE = load_catalogue()
INTEGRATED = "통합인증-002"


class FakeClient:
    """A client without a relay. `failing` are API ids, or (API id, industry), whose calls fail."""

    def __init__(self, *failing):
        self.failing, self.done = set(failing), []

    def _call(self, api_id, at):
        self.done.append((api_id, at.industry))
        ok = self.failing.isdisjoint({api_id, (api_id, at.industry)})
        return Call(api_id, at.industry, at.org_code, "POST", "/", ok=ok, why=[] if ok else ["as asked"])

    async def obtain_individually(self, at, customer, browser):
        assert isinstance(browser, BrowserClient)
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

    async def obtain_by_certificate(self, at, customer, certifiers):
        return self._signed(at, "certificate")

    async def obtain_by_provider(self, at, customer, certifiers):
        return self._signed(at, "provider")

    def _signed(self, at, kind):
        call = self._call(INTEGRATED, at)
        return call, Tokens(f"{kind}.{at.industry}", "refresh") if call.ok else None


class Operator:
    """Gets these rsp_codes in order. The last one repeats."""

    def __init__(self, *codes):
        self.codes, self.requests = list(codes), []

    async def call_once(self, api, token):
        self.requests.append((api.api_id, token.token))
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        return SimpleNamespace(rsp_code=code)


@pytest.fixture
def start(built):
    """Builds a scenario. `.reported` are the reported calls."""

    def build(*failing):
        reported = []
        scenario = TokenScenario(FakeClient(*failing), built, reported.append)
        return SimpleNamespace(scenario=scenario, reported=reported)

    return build


def ids(reported):
    return [(call.api_id, call.ok) for call in reported]


async def test_each_api_of_the_authority_is_reported_once(start):
    run = start()
    await run.scenario.obtain()
    await run.scenario.revoke(Operator("40101"), CATALOGUE)
    assert ids(run.reported) == [
        ("개별인증-001", True),
        ("개별인증-002", True),
        ("개별인증-003", True),
        (INTEGRATED, True),
        ("개별인증-004", True),
    ]
    assert len(run.reported) == AUTHORITY_CALLS


async def test_each_institution_gets_its_own_token(start, built):
    tokens = await start().scenario.obtain()
    assert [token.org_code for token in tokens] == [institution.org_code for institution in built.institutions.values()]
    first, *others = tokens
    assert first.token == "renewed"
    assert [token.token for token in others[:3]] == ["certificate.card", "provider.invest", "certificate.insu"]
    assert len({token.token for token in tokens}) == len(tokens)


@pytest.mark.parametrize(
    ("failing", "reported"),
    [
        ("개별인증-001", [("개별인증-001", False)]),
        ("개별인증-002", [("개별인증-001", True), ("개별인증-002", False)]),
        ("개별인증-003", [("개별인증-001", True), ("개별인증-002", True), ("개별인증-003", False)]),
    ],
)
async def test_a_failed_first_token_does_not_stop_the_scenario(start, failing, reported):
    run = start(failing)
    tokens = await run.scenario.obtain()
    await run.scenario.revoke(Operator("00000"), CATALOGUE)
    assert ids(run.reported) == [*reported, (INTEGRATED, True)]
    assert [token.industry for token in tokens if not token.token] == ["bank"]


async def test_each_failed_call_is_reported(start):
    failing = [(INTEGRATED, industry) for industry in ("invest", "telecom", "usury")]
    run = start(*failing)
    tokens = await run.scenario.obtain()
    reported = [(call.industry, call.ok) for call in run.reported if call.api_id == INTEGRATED]
    assert reported == [("card", True), ("invest", False), ("telecom", False), ("usury", False)]
    assert [token.industry for token in tokens if not token.token] == ["invest", "telecom", "usury"]


async def test_a_revoked_token_is_used_until_it_is_refused(start, monkeypatch):
    monkeypatch.setattr(module, "POLL_S", 0)
    run, operator = start(), Operator("00000", "00000", "40101")
    await run.scenario.obtain()
    await run.scenario.revoke(operator, CATALOGUE)
    assert operator.requests == [("정보제공-공통-002", "renewed")] * 3
    assert ids(run.reported)[-1] == ("개별인증-004", True)


async def test_a_revoked_token_that_is_accepted_is_a_failure(start, monkeypatch):
    monkeypatch.setattr(module, "POLL_S", 0)
    monkeypatch.setattr(module, "CUT_OFF_S", 0)
    run = start()
    await run.scenario.obtain()
    await run.scenario.revoke(Operator("00000"), CATALOGUE)
    call = run.reported[-1]
    assert (call.api_id, call.ok) == ("개별인증-004", False)
    assert "got 00000" in call.why[0]


async def test_a_failed_revocation_is_reported_and_not_checked(start):
    run, operator = start("개별인증-004"), Operator("00000")
    await run.scenario.obtain()
    await run.scenario.revoke(operator, CATALOGUE)
    assert (ids(run.reported)[-1], operator.requests) == (("개별인증-004", False), [])
