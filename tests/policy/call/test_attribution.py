"""Attribution of refused calls by the part of the request that was received."""

import pytest

from relay.domain.exchange import Exchange
from relay.policy.call.access import Callers
from relay.policy.call.attribution import attribute_refusal, find_api_type
from relay.policy.call.parties import Parties
from relay.policy.call.plan import compile_plan
from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings
from relay.standard.catalogue import load_catalogue

SETTINGS = {
    "relay": {"org_code": "ZRLA000001", "name": "relay"},
    "gateway": {"listeners": [{"tls": False, "client_certificate": False}]},
    "tokens": {"issuer": "ZRLA000001", "keys": "keys"},
    "ledger": {"url": "sqlite:ledger.db", "customer_keys": [{"kid": "one", "key": "env:K"}]},
}
OPERATOR = {"org_code": "ZOPA000001", "name": "x", "serial_num": "999-81-01001", "addresses": ["192.0.2.1"]}
SERVICES = [{"client_id": "ZOPA000001SVC01", "name": "one"}, {"client_id": "ZOPA000001SVC02", "name": "two"}]
BANK = {"org_code": "ZBAA000001", "name": "x", "industry": "bank", "base_urls": ["http://127.0.0.1:1"]}


@pytest.fixture(scope="module")
def parties():
    return Parties.from_directory(Directory.model_validate({"operators": [OPERATOR | {"services": SERVICES}]}))


@pytest.fixture(scope="module")
def plan(parties):
    provider = Provider.model_validate(BANK | {"link": "leased_line"})
    return compile_plan(Settings.model_validate(SETTINGS), (provider,), parties, load_catalogue(), "one")


@pytest.mark.parametrize(
    ("path", "content", "attributes"),
    [
        ("/v1/bank/accounts", b"org_code=ZBAA000001", ("BA01", "bank", "ZBAA000001", "")),
        ("/v7/bank/accounts", b"limit=1&org_code=ZBAA000001&x=", ("BA01", "bank", "ZBAA000001", "")),
        ("/v1/card/cards/1234/approval-domestic", b"org_code=ZBAA000001", ("CD03", "card", "ZBAA000001", "")),
        ("/v1/bank/accounts/deposit/basic", b'{"org_code" : "ZBAA000001" ', ("BA02", "bank", "ZBAA000001", "")),
        ("/v1/bank/accounts/deposit/basic", b"{'org_code':'ZBAA000001'}", ("BA02", "bank", "", "")),
        ("/v1/bank/accounts", b"org_code=ZBAA000001&org_code=ZBAA000001", ("BA01", "bank", "ZBAA000001", "")),
        ("/v1/bank/accounts", b"org_code=ZBAA000001&org_code=ZBAA000002", ("BA01", "bank", "", "")),
        ("/v1/bank/accounts", b"xorg_code=ZBAA000001", ("BA01", "bank", "", "")),
        ("/v1/bank/accounts", b"org_code=ZBAA00000", ("BA01", "bank", "", "")),
        ("/v1/bank/accounts", b"org_code=ZXXX000001", ("BA01", "bank", "", "")),
        ("/nowhere", b"org_code=ZBAA000001", ("", "", "", "")),
        ("/bank/apis", b"client_id=ZOPA000001SVC02", ("CM01", "bank", "", "ZOPA000001SVC02")),
        ("/bank/apis", b"client_id=ZOPA000009SVC01", ("CM01", "bank", "", "")),
        ("/oauth/2.0/token", b"grant_type=password&org_code=ZBAA000001", ("AU11", "", "ZBAA000001", "")),
        ("/oauth/2.0/token", b"\xff\x00org_code", ("AU02", "", "", "")),
        ("/oauth/2.0/revoke", b"", ("AU04", "", "", "")),
        ("/v1/bank/accounts", b"x" * 9000 + b"&org_code=ZBAA000001", ("BA01", "bank", "", "")),
    ],
)
def test_a_refused_call_is_attributed_by_its_content(plan, parties, path, content, attributes):
    exchange = Exchange(0.0, 0.0)
    attribute_refusal(plan, parties.callers.all, path.encode(), content, exchange)
    assert (exchange.api_code, exchange.industry, exchange.provider, exchange.client_id) == attributes


def test_known_values_are_kept(plan, parties):
    exchange = Exchange(0.0, 0.0)
    exchange.api_code, exchange.provider, exchange.client_id = "BA03", "ZBAA000002", "ZOPA000001SVC01"
    attribute_refusal(
        plan, Callers.from_iterable(()).all, b"/v1/bank/accounts", b"org_code=ZBAA000001&client_id=x", exchange
    )
    assert (exchange.api_code, exchange.provider, exchange.client_id) == ("BA03", "ZBAA000002", "ZOPA000001SVC01")


@pytest.mark.parametrize(
    ("raw", "api_type"),
    [
        (b"GET / HTTP/1.1\r\nx-api-type: scheduled\r\n\r\n", b"scheduled"),
        (b"GET / HTTP/1.1\r\nX-API-Type:scheduled \r\na b\r\n", b"scheduled"),
        (b"GET / HTTP/1.1\nx-api-type: scheduled\n\n", b"scheduled"),
        (b"GET / HTTP/1.1\r\nx-api-type: scheduled\r\nx-api-type: scheduled\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nx-api-types: scheduled\r\n\r\n", None),
        (b"GET /x-api-type: scheduled HTTP/1.1\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nx-api-type: sched", None),
        (b"", None),
    ],
)
def test_the_api_type_is_found_in_a_malformed_head(raw, api_type):
    assert find_api_type(raw) == api_type
