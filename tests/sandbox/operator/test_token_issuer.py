import pytest
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.operator import registration
from mydata_sandbox.operator.token_issuer import TokenIssuer, TokenRefused, TokenRequest, UnknownParty

from relay.standard.catalogue import load_catalogue


@pytest.fixture
def issuer(built):
    """An issuer of a sandbox whose relay does not run. Tokens of a real relay: tests/sandbox/commands/test_token.py."""
    return TokenIssuer(
        gateway=built.gateway,
        ca=built.certificates.ca,
        operators=built.operators,
        institutions={entry.org_code: entry for entry in built.institutions.values()},
        certifiers=built.certifiers,
        catalogue=load_catalogue(),
        check=find_strict_violations,
    )


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (TokenRequest("ZZZZ000009"), "ZZZZ000009 is not one of ZBAA000001, "),
        (TokenRequest("ZBAA000001", "unknown"), "unknown is not one of ZOPA000001SVC01, "),
        (TokenRequest("ZBAA000001", customer=4), "customer 4 is not one of 1 to 3"),
        (TokenRequest("ZBAA000001", scopes=("bank.list", "card.list")), "scope card.list is not one of bank.deposit, "),
    ],
)
async def test_unknown_parties_are_refused_with_the_choices(issuer, request_, words):
    with pytest.raises(UnknownParty, match=words):
        await issuer.issue(request_)


async def test_a_relay_that_is_down_is_named_as_the_cause(issuer, monkeypatch):
    monkeypatch.setattr(registration, "REGISTRATION_S", 0)
    with pytest.raises(TokenRefused, match=r"^the relay does not answer: ClientConnectorError"):
        await issuer.issue(TokenRequest("ZBAA000001"))
