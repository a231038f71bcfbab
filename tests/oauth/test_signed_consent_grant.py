"""통합인증-002: issues a token pair for a signed consent, with a fake verifier; tests/infra has the real one."""

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from itertools import count

import pytest
import sqlalchemy as sa

from relay.domain.authorization.signed_consent import CertificateSigned, Defect, HashSigned, NotVerified
from relay.oauth.signed_consent_grant import TX_ID_AGE_S, TX_ID_AHEAD_S, VERIFICATION_ERRORS
from relay.policy.settings.authority import CertifierSettings, IdentityServiceSettings, SignatureServiceSettings

NOW = 1_800_000_000  # 2027-01-15 17:00 in Korea
BY_CERTIFICATE, BY_PROVIDER = "ZCAA000001", "ZCAA000002"
CI = "Q0ktb2YtYS1jdXN0b21lci1vZi10aGUtdGVzdHM="
DEMAND = {
    "snd_org_code": "ZBAA000001",
    "rcv_org_code": "ZOPA000001",
    "is_scheduled": "true",
    "fnd_cycle": "1/w",
    "add_cycle": "1/w",
    "end_date": "20271231",
    "purpose": "자산 조회",
    "period": "99991231",
    "target_info": [{"scope": "bank.deposit", "asset_list": [{"asset": "1002003004005"}]}],
}
LISTS = {**DEMAND, "end_date": "20270122", "period": "20270122", "target_info": [{"scope": "bank.list"}]}
FILES = {"certificate": "x", "private_key": "file:x", "responder": "x"}
DESK = IdentityServiceSettings(host="ca.example", port=1, cp_code="RELAY1", **FILES)
API = SignatureServiceSettings(base_url="https://ca.example", client_id="relay1", client_secret="file:x")
CERTIFIERS = {
    BY_CERTIFICATE: CertifierSettings(ca_code=BY_CERTIFICATE, name="05", kind="identity", roots=("x",), identity=DESK),
    BY_PROVIDER: CertifierSettings(ca_code=BY_PROVIDER, name="06", kind="signature", signature=API),
}
CONDITIONAL = {
    "0": ["signed_person_info_req_len", "signed_person_info_req", "consent_nonce", "ucpid_nonce"],
    "1": ["consent_len", "consent", "cert_tx_id"],
}
numbers = count(1)


def base64url(value):
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def tx_id(certifier=BY_CERTIFICATE, moment="20270115170000", **changed):
    parties = {"operator": "ZOPA000001", "provider": "ZBAA000001", "relay": "ZRLA000001", "certifier": certifier}
    return "_".join(("MD", *{**parties, **changed}.values(), moment, f"{next(numbers):012}"))


def without_absent(form):
    return {name: value for name, value in form.items() if value is not None}


def certificate_form(operator, **changed):
    """Returns the form of auth_type 0 with new nonces. A field of None is omitted."""
    number = next(numbers)
    password = changed.get("password") or base64url(b"signed consent")
    person = base64url(b"signed agreement")
    return without_absent(
        operator.code_form("unused", code=None, redirect_uri=None, grant_type="password")
        | {
            "tx_id": tx_id(),
            "ca_code": BY_CERTIFICATE,
            "username": CI,
            "request_type": "1",
            "password_len": str(len(password)),
            "password": password,
            "auth_type": "0",
            "consent_type": "0",
            "signed_person_info_req_len": str(len(person)),
            "signed_person_info_req": person,
            "consent_nonce": base64url(b"consent %08d" % number),
            "ucpid_nonce": base64url(b"ucpid__ %08d" % number),
        }
        | changed
    )


def provider_form(operator, **changed):
    """Returns the form of auth_type 1."""
    consent = changed.get("consent") or json.dumps(DEMAND, ensure_ascii=False)
    return without_absent(
        certificate_form(
            operator,
            **dict.fromkeys(CONDITIONAL["0"]),
            tx_id=tx_id(BY_PROVIDER),
            ca_code=BY_PROVIDER,
            auth_type="1",
            consent_type="1",
            consent=consent,
            consent_len=str(len(consent.encode())),
            cert_tx_id="cert-tx-1",
        )
        | changed
    )


FORMS = {"0": certificate_form, "1": provider_form}


class FakeConsentVerifier:
    """Returns or raises `result`. `calls` are the arguments of its calls."""

    def __init__(self):
        self.result, self.calls = DEMAND, []

    async def verify(self, signed, ca_code, now):
        self.calls.append((signed, ca_code, now))
        if isinstance(self.result, Defect):
            raise NotVerified(self.result, "password")
        return json.dumps(self.result).encode() if isinstance(self.result, dict) else self.result


@pytest.fixture
async def operator(operator):
    """An operator of an authority with two certifiers and a fake consent verifier."""
    operator.authority.settings = replace(operator.authority.settings, certifiers=CERTIFIERS)
    operator.authority.consent_verifier = operator.verifier = FakeConsentVerifier()
    return operator


async def send_refused(operator, form):
    """Sends a form that must be refused. Returns status, error and recorded reason."""
    reply = await operator.post("token", form)
    assert form["password"] not in json.dumps(reply.body)
    return reply.status, reply.body["error"], reply.reason


@pytest.mark.parametrize("auth_type", FORMS)
async def test_a_verified_consent_gets_a_pair(operator, auth_type):
    form = FORMS[auth_type](operator)
    reply = await operator.post("token", form)
    assert reply.status == 200, reply
    names = "tx_id token_type access_token expires_in refresh_token refresh_token_expires_in scope"
    assert list(reply.body) == names.split()
    assert (reply.body["tx_id"], reply.body["token_type"]) == (form["tx_id"], "Bearer")
    assert reply.body["scope"] == "bank.list bank.deposit"
    assert reply.headers["x-relay-api-code"] == "AU11"
    _, consent = await operator.ledger.find_token_and_consent(operator.claims(reply.body["access_token"])["jti"])
    assert (consent.authentication.value, consent.ci, consent.operator) == ("integrated", CI, "ZOPA000001")
    assert [target.scope for target in consent.particulars.targets] == ["bank.list", "bank.deposit"]


async def test_the_verifier_gets_the_decoded_form(operator):
    form = certificate_form(operator)
    await operator.post("token", form)
    other = provider_form(operator)
    await operator.post("token", other)
    nonces = (urlsafe_b64decode(form[name] + "==") for name in ("consent_nonce", "ucpid_nonce"))
    documents = b"signed consent", b"signed agreement"
    assert operator.verifier.calls == [
        (CertificateSigned(form["tx_id"], CI, *documents, *nonces), BY_CERTIFICATE, NOW),
        (HashSigned(other["tx_id"], CI, other["password"], other["consent"], "cert-tx-1"), BY_PROVIDER, NOW),
    ]


async def test_lists_alone_are_granted_for_a_week(operator):
    operator.verifier.result = LISTS
    reply = await operator.post("token", certificate_form(operator, request_type="0"))
    assert (reply.status, reply.body["scope"]) == (200, "bank.list")
    assert int(reply.body["refresh_token_expires_in"]) < 8 * 86_400


async def test_a_new_consent_replaces_the_former_one(operator):
    first = (await operator.post("token", certificate_form(operator))).body
    second = (await operator.post("token", provider_form(operator))).body
    assert not await operator.is_live(first["access_token"])
    assert await operator.is_live(second["access_token"])


@pytest.mark.parametrize(
    ("auth_type", "kinds"),
    [("0", {"password", "signed_person_info_req"}), ("1", {"password", "consent", "cert_tx_id"})],
)
async def test_the_evidence_is_stored_unchanged(operator, auth_type, kinds, monkeypatch):
    stored = []
    issue = operator.ledger.issue_integrated

    async def record(consent, pair, spent, evidence, *arguments):
        stored.extend(evidence)
        await issue(consent, pair, spent, evidence, *arguments)

    monkeypatch.setattr(operator.ledger, "issue_integrated", record)
    form = FORMS[auth_type](operator)
    await operator.post("token", form)
    assert {each.kind: each.content for each in stored} == {kind: form[kind].encode() for kind in kinds}


REQUIRED = ["tx_id", "org_code", "ca_code", "username", "request_type", "password_len", "auth_type", "consent_type"]


@pytest.mark.parametrize(
    ("auth_type", "name"), [(kind, name) for kind, names in CONDITIONAL.items() for name in [*names, *REQUIRED]]
)
@pytest.mark.parametrize("value", [None, ""])
async def test_a_missing_field_is_invalid_request(operator, auth_type, name, value):
    status, error, _ = await send_refused(operator, FORMS[auth_type](operator) | {name: value})
    assert (status, error) == (400, "invalid_request")
    assert operator.verifier.calls == []


async def test_all_missing_fields_are_named_at_once(operator):
    reply = await operator.post("token", FORMS["0"](operator) | {"consent_nonce": None, "ucpid_nonce": None})
    assert reply.body["error_description"].endswith(": consent_nonce (aNS(30)), ucpid_nonce (aNS(30))")


INVALID_FORMS = {
    "auth_type 2": ("0", {"auth_type": "2"}),
    "request_type 2": ("0", {"request_type": "2"}),
    "consent_type of the other auth_type": ("0", {"consent_type": "1"}),
    "consent_type of the other auth_type, too": ("1", {"consent_type": "0"}),
    "consent beside auth_type 0": ("0", {"consent": "{}", "consent_len": "2"}),
    "cert_tx_id beside auth_type 0": ("0", {"cert_tx_id": "x"}),
    "a nonce beside auth_type 1": ("1", {"consent_nonce": base64url(b"x" * 16)}),
    "a length too small": ("0", {"password_len": "1"}),
    "a length that is no number": ("0", {"password_len": "x"}),
    "a negative length": ("0", {"password_len": "-1"}),
    "the agreement's length": ("0", {"signed_person_info_req_len": "99999"}),
    "the consent's length in characters": ("1", {"consent": '{"목":1}', "consent_len": "7"}),
    "no base64url": ("0", {"password": "+++", "password_len": "3"}),
    "loose bits": ("0", {"password": "AB", "password_len": "2"}),
    "loose bits at the provider": ("1", {"password": "AB", "password_len": "2"}),
    "the agreement is no base64url": ("0", {"signed_person_info_req": "===", "signed_person_info_req_len": "3"}),
    "a short nonce": ("0", {"consent_nonce": base64url(b"x" * 15)}),
    "a nonce that is no base64": ("0", {"ucpid_nonce": "!" * 22}),
    "one nonce for both": ("0", {"consent_nonce": base64url(b"x" * 16), "ucpid_nonce": base64url(b"x" * 16)}),
    "a cert_tx_id with blanks": ("1", {"cert_tx_id": "a b"}),
    "a transfer between institutions": ("0", {"service_id": "SERVICE1"}),
    "no tx_id": ("0", {"tx_id": "MD_" + "0" * 71}),
    "another operator": ("0", {"tx_id": tx_id(operator="ZOPB000001")}),
    "another provider": ("0", {"tx_id": tx_id(provider="ZBAB000001")}),
    "another relay": ("0", {"tx_id": tx_id(relay="ZRLB000001")}),
    "another certifier": ("0", {"tx_id": tx_id(BY_PROVIDER)}),
    "no day": ("0", {"tx_id": tx_id(moment="20270230170000")}),
    "an hour and a second ago": ("0", {"tx_id": tx_id(moment="20270115155959")}),
    "too far ahead": ("0", {"tx_id": tx_id(moment="20270115170501")}),
    "an unknown certifier": ("0", {"ca_code": "ZCAZ000001", "tx_id": tx_id("ZCAZ000001")}),
    "a certifier of the other kind": ("0", {"ca_code": BY_PROVIDER, "tx_id": tx_id(BY_PROVIDER)}),
    "a certifier of the other kind, too": ("1", {"ca_code": BY_CERTIFICATE, "tx_id": tx_id()}),
}


@pytest.mark.parametrize("name", INVALID_FORMS)
async def test_an_invalid_form_is_refused_before_verification(operator, name):
    auth_type, changed = INVALID_FORMS[name]
    refusal = await send_refused(operator, FORMS[auth_type](operator) | changed)
    assert refusal == (400, "invalid_request", "parameter_malformed")
    assert operator.verifier.calls == []


@pytest.mark.parametrize("seconds", [-TX_ID_AHEAD_S, 0, TX_ID_AGE_S])
async def test_a_tx_id_is_valid_for_an_hour(operator, seconds):
    operator.clock = lambda: NOW + seconds
    reply = await operator.post("token", certificate_form(operator))
    assert reply.status == 200


@pytest.mark.parametrize("auth_type", FORMS)
async def test_a_tx_id_is_used_once(operator, auth_type):
    form = FORMS[auth_type](operator)
    assert (await operator.post("token", form)).status == 200
    again = FORMS[auth_type](operator) | {"tx_id": form["tx_id"], "username": "c29tZWJvZHkgZWxzZQ=="}
    assert await send_refused(operator, again) == (400, "invalid_grant", "tx_id_spent")
    assert len(operator.verifier.calls) == 1


@pytest.mark.parametrize(("name", "other"), [("consent_nonce", "ucpid_nonce"), ("ucpid_nonce", "ucpid_nonce")])
@pytest.mark.parametrize("spelling", ["{}", "{}=="])
async def test_a_nonce_is_used_once_however_it_is_written(operator, name, other, spelling):
    form = certificate_form(operator)
    assert (await operator.post("token", form)).status == 200
    again = certificate_form(operator) | {other: spelling.format(form[name])}
    assert await send_refused(operator, again) == (400, "invalid_grant", "nonce_spent")


async def test_concurrent_calls_with_one_tx_id_get_one_pair(operator):
    form = certificate_form(operator)
    replies = await asyncio.gather(*(operator.post("token", form) for _ in range(8)))
    assert {reply.status for reply in replies} == {200}
    assert len({json.dumps(reply.body) for reply in replies}) == 1


OTHER_ERRORS = {
    Defect.IDENTITY: (400, "unauthorized_user"),
    Defect.REVOCATION_UNKNOWN: (503, "temporarily_unavailable"),
    Defect.BUSY: (503, "temporarily_unavailable"),
    Defect.CERTIFIER_SILENT: (503, "temporarily_unavailable"),
    Defect.CERTIFIER_BROKEN: (503, "temporarily_unavailable"),
}
"""Errors of failed verifications other than invalid_grant."""


@pytest.mark.parametrize("doubt", Defect)
async def test_each_failed_verification_has_its_error(operator, doubt):
    operator.verifier.result = doubt
    reply = await operator.post("token", certificate_form(operator))
    assert (reply.status, reply.body["error"]) == OTHER_ERRORS.get(doubt, (400, "invalid_grant"))
    assert reply.reason == f"consent_{doubt}"
    assert ("Retry-After" in reply.headers) == (reply.status == 503)
    assert reply.body["error_description"] == VERIFICATION_ERRORS[doubt][1]


async def test_an_unverified_form_may_be_sent_again(operator):
    form = certificate_form(operator)
    operator.verifier.result = Defect.CERTIFIER_SILENT
    assert (await operator.post("token", form)).status == 503
    operator.verifier.result = DEMAND
    assert (await operator.post("token", form)).status == 200


DEMANDS = {
    "no JSON": (b"no", "invalid_request"),
    "of another provider": (DEMAND | {"snd_org_code": "ZBAB000001"}, "invalid_grant"),
    "for another operator": (DEMAND | {"rcv_org_code": "ZOPB000001"}, "invalid_grant"),
    "over": (DEMAND | {"end_date": "20270114"}, "invalid_grant"),
    "too long": (DEMAND | {"end_date": "20280116"}, "invalid_request"),
    "of lists alone": (LISTS, "invalid_scope"),
    "of another industry": (
        DEMAND | {"target_info": [{"scope": "card.card", "asset_list": [{"asset": "all_asset"}]}]},
        "invalid_scope",
    ),
}


@pytest.mark.parametrize("kind", DEMANDS)
async def test_an_invalid_demand_is_refused(operator, kind):
    operator.verifier.result, error = DEMANDS[kind]
    assert await send_refused(operator, certificate_form(operator)) == (400, error, "consent_demand")


async def test_request_type_0_allows_no_assets(operator):
    operator.verifier.result = DEMAND | {"end_date": "20270120", "period": "20270120"}
    refusal = await send_refused(operator, certificate_form(operator, request_type="0"))
    assert refusal == (400, "invalid_scope", "consent_demand")


async def test_nothing_of_a_refused_form_is_stored(operator, tmp_path):
    operator.verifier.result = Defect.SIGNATURE
    await operator.post("token", certificate_form(operator))
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        filled = {table for table in tables if connection.execute(sa.text(f"SELECT 1 FROM {table}")).first()}
    engine.dispose()
    assert (stored := {"consents", "tokens", "evidence", "spent"}) <= set(tables)
    assert not filled & stored
