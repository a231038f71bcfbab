from types import SimpleNamespace

import pytest
from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import AuthorityKeyIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.identity_message import OurIdentity, Question, answered, question
from relay.standard.ucpid import IspReqInfo, PersonInfo, UcpidRequest, UcpidResponse

NONCE = b"n" * 16


@pytest.fixture
def asked(us, signed, people):
    return question(us, signed(), people.customer.certificate, NONCE)


@pytest.fixture(scope="module")
def desk(people, make):
    """Makes answers; keywords differ from a good one."""

    def answer(asked, **changed):
        told = {
            "version": 2,
            "nonce": asked.nonce,
            "cp_request_number": make.TX_ID,
            "cert_dn": asn1_x509.Certificate.load(people.customer.der).subject,
            "cp_code": "RELAY0000001",
            "real_name": "홍길동",
            "ci_update": 1,
            "ci": make.CI,
            **changed.pop("person", {}),
        }
        content = changed.pop("content", None) or PersonInfo(told).dump()
        signer = changed.pop("signer", people.desk)
        document = make.signed_data(content, signer, **changed.pop("signing", {}))
        sealed_for = changed.pop("sealed_for", people.us)
        envelope = pkcs7.PKCS7EnvelopeBuilder().set_data(document).add_recipient(sealed_for.certificate)
        sealed = envelope.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
        response = {
            "version": 2,
            "issuer_key_hash": asked.issuer_key_hash,
            "status": {"code": 0},
            "person": cms.ContentInfo.load(sealed),
            **changed,
        }
        return UcpidResponse({name: value for name, value in response.items() if value is not None}).dump()

    return answer


def verdict(us, asked, message, make, ci=None):
    """ "confirmed", or the doubt."""
    try:
        answered(us, asked, message, ci or make.CI, make.NOW)
    except Unproven as unproven:
        return unproven.doubt
    return "confirmed"


def test_the_question_names_us_the_customer_and_the_transaction(us, signed, people, make):
    sent = signed()
    asked = question(us, sent, people.customer.certificate, NONCE)
    request = UcpidRequest.load(asked.message, strict=True)
    document = request["request"]["content"]
    info = IspReqInfo.load(document["encap_content_info"]["content"].contents, strict=True)
    assert (request["version"].native, request["cp_code"].native) == (2, "RELAY0000001")
    vouching = people.customer.certificate.extensions.get_extension_for_class(AuthorityKeyIdentifier).value
    assert request["issuer_key_hash"].native == vouching.key_identifier
    assert info["nonce"].native == NONCE
    assert info["cp_request_number"].native == make.TX_ID
    assert info["sealed_for"].dump() == people.us.der
    assert info["signed_person_info_req"].dump() == sent.person_info_req
    assert document["certificates"][0].chosen.dump() == people.us.der
    assert "nonce" not in repr(asked)


def test_a_confirmed_customer_passes(us, asked, desk, make):
    assert verdict(us, asked, desk(asked), make) == "confirmed"


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ((1, "mine", "other"), "confirmed"),
        ((2, "other", "mine"), "confirmed"),
        ((3, "mine", "other"), "confirmed"),
        ((2, "mine", "other"), Doubt.IDENTITY),
        ((2, "mine", None), Doubt.CERTIFIER_BROKEN),
        ((1, "", "mine"), Doubt.CERTIFIER_BROKEN),
    ],
)
def test_the_number_of_its_update_tells_which_ci_holds(us, asked, desk, make, told, wanted):
    update, ci, ci2 = told
    texts = {"mine": make.CI, "other": "b3RoZXI=", "": "", None: None}
    person = {"ci_update": update, "ci": texts[ci]} | ({"ci2": texts[ci2]} if ci2 else {})
    assert verdict(us, asked, desk(asked, person=person), make) == wanted


ANSWERS = {
    "another customer": ({"person": {"ci": "b3RoZXI="}}, Doubt.IDENTITY),
    "a CI that is no ASCII": ({"person": {"ci": "홍길동"}}, Doubt.IDENTITY),
    "not confirmed": ({"status": {"code": 1}, "person": None}, Doubt.IDENTITY),
    "another nonce": ({"person": {"nonce": b"x" * 16}}, Doubt.CERTIFIER_BROKEN),
    "another transaction": ({"person": {"cp_request_number": "MD_OTHER"}}, Doubt.CERTIFIER_BROKEN),
    "another code": ({"person": {"cp_code": "OTHER0000001"}}, Doubt.CERTIFIER_BROKEN),
    "another version inside": ({"person": {"version": 1}}, Doubt.CERTIFIER_BROKEN),
    "another version": ({"version": 1}, Doubt.CERTIFIER_BROKEN),
    "another issuer": ({"issuer_key_hash": b"other"}, Doubt.CERTIFIER_BROKEN),
    "a customer signed it": ({"signer": "customer"}, Doubt.CERTIFIER_BROKEN),
    "a bad signature": ({"signing": {"signed_bytes": b"other"}}, Doubt.CERTIFIER_BROKEN),
    "sealed for somebody else": ({"sealed_for": "customer"}, Doubt.CERTIFIER_BROKEN),
    "no person inside": ({"content": b"\x05\x00"}, Doubt.CERTIFIER_BROKEN),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_is_believed_only_to_our_question(us, asked, desk, people, make, kind):
    given, wanted = ANSWERS[kind]
    given = {name: getattr(people, value) if value == "customer" else value for name, value in given.items()}
    if given.get("person", {}) is None:
        message = UcpidResponse(
            {"version": 2, "issuer_key_hash": asked.issuer_key_hash, "status": given["status"]}
        ).dump()
    else:
        message = desk(asked, **given)
    assert verdict(us, asked, message, make) is wanted


def test_an_answer_that_confirms_nobody_is_broken(us, asked, make):
    message = UcpidResponse({"version": 2, "issuer_key_hash": asked.issuer_key_hash, "status": {"code": 0}}).dump()
    assert verdict(us, asked, message, make) is Doubt.CERTIFIER_BROKEN


@pytest.mark.parametrize("days", [-3, 3])
def test_the_desks_certificate_holds_only_in_its_time(us, asked, desk, make, days):
    aside = SimpleNamespace(CI=make.CI, NOW=make.NOW + days * 86_400)
    assert verdict(us, asked, desk(asked), aside) is Doubt.CERTIFIER_BROKEN


@settings(max_examples=150)
@given(data=st.data())
def test_any_answer_is_a_doubt_or_the_truth(answer_once, data):
    us, asked, message, make = answer_once
    changed = bytearray(message)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    assert verdict(us, asked, bytes(changed), make) in {"confirmed", Doubt.CERTIFIER_BROKEN, Doubt.IDENTITY}


@pytest.fixture(scope="module")
def answer_once(people, make, desk):
    us = OurIdentity("RELAY0000001", people.us.certificate, people.us.key, (people.desk.certificate,))
    asked = Question(b"", NONCE, b"hash", make.TX_ID)
    return us, asked, desk(asked), make
