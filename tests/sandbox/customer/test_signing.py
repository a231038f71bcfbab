"""Forms of an operator's app, parsed by other libraries."""

import base64
import json
from datetime import UTC, date, datetime

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives.serialization import pkcs7
from mydata_sandbox.certifiers.pki import make_certifier_pki
from mydata_sandbox.customer.signing import (
    ConsentTerms,
    Parties,
    build_certificate_form,
    build_provider_form,
    demand,
    make_nonce,
)
from mydata_sandbox.parties import IDENTITY_CERTIFIER
from mydata_sandbox.world.model import CUSTOMERS

from relay.domain.authorization.tx_id import parse_tx_id
from relay.standard.ucpid import PersonInfoReq

MOMENT = datetime(2027, 1, 15, 20, 0, tzinfo=UTC)  # the 16th in Korea
PARTIES = Parties("ZOPA000001", "ZBAA000001", "ZRLA000001", IDENTITY_CERTIFIER, MOMENT)


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return make_certifier_pki(tmp_path_factory.mktemp("pki"), datetime.now(UTC)).customer(CUSTOMERS[0])


def open_signature(text):
    """Returns content and certificates of a signature in a form."""
    document = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    signed = cms.ContentInfo.load(document)["content"]
    return signed["encap_content_info"]["content"].native, pkcs7.load_der_pkcs7_certificates(document)


def test_a_demand_has_parties_scopes_and_period():
    wish = ConsentTerms("bank", ("bank.deposit", "bank.loan"), {"bank.deposit": ["1", "2"]})
    assert json.loads(demand(wish, PARTIES)) == {
        "snd_org_code": "ZBAA000001",
        "rcv_org_code": "ZOPA000001",
        "is_scheduled": "true",
        "end_date": "20271112",
        "purpose": "통합자산 조회",
        "period": "99991231",
        "target_info": [
            {"scope": "bank.list"},
            {"scope": "bank.deposit", "asset_list": [{"asset": "1"}, {"asset": "2"}]},
            {"scope": "bank.loan", "asset_list": [{"asset": "all_asset"}]},
        ],
        "fnd_cycle": "1/w",
        "add_cycle": "1/w",
    }


def test_a_demand_for_lists_only_ends_after_a_week():
    fields = json.loads(demand(ConsentTerms("card", is_scheduled=False), PARTIES))
    assert (fields["end_date"], fields["period"], fields["target_info"]) == (
        "20270123",
        "20270123",
        [{"scope": "card.list"}],
    )
    assert "fnd_cycle" not in fields


def test_a_demand_has_the_additional_consents_that_are_given():
    terms = ConsentTerms("bank", ("bank.deposit",), extra_consents=("is_consent_trans_memo",))
    assert json.loads(demand(terms, PARTIES))["is_consent_trans_memo"] == "true"


def test_the_date_is_korean():
    assert PARTIES.today == date(2027, 1, 16)


def test_each_tx_id_is_new_and_names_the_parties():
    first, second = PARTIES.tx_id(), PARTIES.tx_id()
    parsed = parse_tx_id(first)
    assert first != second
    assert (parsed.operator, parsed.provider, parsed.relay) == ("ZOPA000001", "ZBAA000001", "ZRLA000001")
    assert (parsed.certifier, parsed.made_at) == (IDENTITY_CERTIFIER, int(MOMENT.timestamp()))


def test_consent_and_agreement_have_the_same_signer(signer):
    text = demand(ConsentTerms("bank", ("bank.loan",)), PARTIES)
    form = build_certificate_form(PARTIES, "Q0k=", signer, text, lists=False)
    content, certificates = open_signature(form["password"])
    assert json.loads(content) == {"consent": text, "consentNonce": form["consent_nonce"]}
    agreed, others = open_signature(form["signed_person_info_req"])
    assert certificates == others == [signer.certificate]
    person = PersonInfoReq.load(agreed, strict=True).native
    assert base64.urlsafe_b64encode(person["nonce"]).decode().rstrip("=") == form["ucpid_nonce"]
    assert (form["auth_type"], form["consent_type"], form["request_type"]) == ("0", "0", "1")
    assert form["password_len"] == str(len(form["password"]))


def test_a_provider_form_has_the_signed_consent():
    form = build_provider_form(PARTIES, "tx", "Q0k=", "목", "c2ln", "cert-1", lists=True)
    assert (form["consent"], form["consent_len"], form["password"], form["password_len"]) == ("목", "3", "c2ln", "4")
    assert (form["tx_id"], form["auth_type"], form["request_type"], form["cert_tx_id"]) == ("tx", "1", "0", "cert-1")


def test_nonces_are_16_random_bytes():
    nonces = {make_nonce() for _ in range(50)}
    assert len(nonces) == 50
    assert {len(base64.urlsafe_b64decode(each + "==")) for each in nonces} == {16}
