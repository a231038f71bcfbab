from types import SimpleNamespace

import pytest
from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import AuthorityKeyIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.identity_message import IdentityRequest, RelayIdentity, build_request, check_response
from relay.standard.ucpid import IspReqInfo, PersonInfo, UcpidRequest, UcpidResponse

NONCE = b"n" * 16


@pytest.fixture
def identity_request(relay_identity, signed, parties):
    return build_request(relay_identity, signed(), parties.customer.certificate, NONCE)


@pytest.fixture(scope="module")
def respond(parties, make):
    """Builds responses; keywords differ from a valid one."""

    def build(identity_request, **changed):
        person = {
            "version": 2,
            "nonce": identity_request.nonce,
            "cp_request_number": make.TX_ID,
            "cert_dn": asn1_x509.Certificate.load(parties.customer.der).subject,
            "cp_code": "RELAY0000001",
            "real_name": "홍길동",
            "ci_update": 1,
            "ci": make.CI,
            **changed.pop("person", {}),
        }
        content = changed.pop("content", None) or PersonInfo(person).dump()
        signer = changed.pop("signer", parties.responder)
        document = make.signed_data(content, signer, **changed.pop("signing", {}))
        sealed_for = changed.pop("sealed_for", parties.relay)
        envelope = pkcs7.PKCS7EnvelopeBuilder().set_data(document).add_recipient(sealed_for.certificate)
        sealed = envelope.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
        response = {
            "version": 2,
            "issuer_key_hash": identity_request.issuer_key_hash,
            "status": {"code": 0},
            "person": cms.ContentInfo.load(sealed),
            **changed,
        }
        return UcpidResponse({name: value for name, value in response.items() if value is not None}).dump()

    return build


def verdict(relay_identity, identity_request, message, make, ci=None):
    """Returns "confirmed", or the doubt."""
    try:
        check_response(relay_identity, identity_request, message, ci or make.CI, make.NOW)
    except NotVerified as unproven:
        return unproven.reason
    return "confirmed"


def test_a_request_names_relay_customer_and_transaction(relay_identity, signed, parties, make):
    consent = signed()
    identity_request = build_request(relay_identity, consent, parties.customer.certificate, NONCE)
    request = UcpidRequest.load(identity_request.message, strict=True)
    document = request["request"]["content"]
    info = IspReqInfo.load(document["encap_content_info"]["content"].contents, strict=True)
    assert (request["version"].native, request["cp_code"].native) == (2, "RELAY0000001")
    key_id = parties.customer.certificate.extensions.get_extension_for_class(AuthorityKeyIdentifier).value
    assert request["issuer_key_hash"].native == key_id.key_identifier
    assert info["nonce"].native == NONCE
    assert info["cp_request_number"].native == make.TX_ID
    assert info["sealed_for"].dump() == parties.relay.der
    assert info["signed_person_info_req"].dump() == consent.person_info_req
    assert document["certificates"][0].chosen.dump() == parties.relay.der
    assert "nonce" not in repr(identity_request)


def test_a_confirmed_customer_passes(relay_identity, identity_request, respond, make):
    assert verdict(relay_identity, identity_request, respond(identity_request), make) == "confirmed"


@pytest.mark.parametrize(
    ("ci_values", "wanted"),
    [
        ((1, "mine", "other"), "confirmed"),
        ((2, "other", "mine"), "confirmed"),
        ((3, "mine", "other"), "confirmed"),
        ((2, "mine", "other"), Defect.IDENTITY),
        ((2, "mine", None), Defect.CERTIFIER_BROKEN),
        ((1, "", "mine"), Defect.CERTIFIER_BROKEN),
    ],
)
def test_the_update_number_selects_the_valid_ci(relay_identity, identity_request, respond, make, ci_values, wanted):
    update, ci, ci2 = ci_values
    texts = {"mine": make.CI, "other": "b3RoZXI=", "": "", None: None}
    person = {"ci_update": update, "ci": texts[ci]} | ({"ci2": texts[ci2]} if ci2 else {})
    assert verdict(relay_identity, identity_request, respond(identity_request, person=person), make) == wanted


RESPONSES = {
    "another customer": ({"person": {"ci": "b3RoZXI="}}, Defect.IDENTITY),
    "a CI not in ASCII": ({"person": {"ci": "홍길동"}}, Defect.IDENTITY),
    "not confirmed": ({"status": {"code": 1}, "person": None}, Defect.IDENTITY),
    "another nonce": ({"person": {"nonce": b"x" * 16}}, Defect.CERTIFIER_BROKEN),
    "another transaction": ({"person": {"cp_request_number": "MD_OTHER"}}, Defect.CERTIFIER_BROKEN),
    "another code": ({"person": {"cp_code": "OTHER0000001"}}, Defect.CERTIFIER_BROKEN),
    "another version inside": ({"person": {"version": 1}}, Defect.CERTIFIER_BROKEN),
    "another version": ({"version": 1}, Defect.CERTIFIER_BROKEN),
    "another issuer": ({"issuer_key_hash": b"other"}, Defect.CERTIFIER_BROKEN),
    "a customer signed it": ({"signer": "customer"}, Defect.CERTIFIER_BROKEN),
    "a bad signature": ({"signing": {"signed_bytes": b"other"}}, Defect.CERTIFIER_BROKEN),
    "encrypted for another recipient": ({"sealed_for": "customer"}, Defect.CERTIFIER_BROKEN),
    "no PersonInfo inside": ({"content": b"\x05\x00"}, Defect.CERTIFIER_BROKEN),
}


@pytest.mark.parametrize("kind", RESPONSES)
def test_a_response_is_accepted_only_for_its_request(relay_identity, identity_request, respond, parties, make, kind):
    changes, wanted = RESPONSES[kind]
    changes = {name: getattr(parties, value) if value == "customer" else value for name, value in changes.items()}
    if changes.get("person", {}) is None:
        message = UcpidResponse(
            {"version": 2, "issuer_key_hash": identity_request.issuer_key_hash, "status": changes["status"]}
        ).dump()
    else:
        message = respond(identity_request, **changes)
    assert verdict(relay_identity, identity_request, message, make) is wanted


def test_a_confirmation_without_a_person_is_broken(relay_identity, identity_request, make):
    message = UcpidResponse(
        {"version": 2, "issuer_key_hash": identity_request.issuer_key_hash, "status": {"code": 0}}
    ).dump()
    assert verdict(relay_identity, identity_request, message, make) is Defect.CERTIFIER_BROKEN


@pytest.mark.parametrize("days", [-3, 3])
def test_an_expired_responder_certificate_is_not_accepted(relay_identity, identity_request, respond, make, days):
    values = SimpleNamespace(CI=make.CI, NOW=make.NOW + days * 86_400)
    assert verdict(relay_identity, identity_request, respond(identity_request), values) is Defect.CERTIFIER_BROKEN


@settings(max_examples=150)
@given(data=st.data())
def test_a_corrupted_response_never_confirms_wrongly(valid_response, data):
    relay_identity, identity_request, message, make = valid_response
    corrupted = bytearray(message)
    for _ in range(data.draw(st.integers(1, 4))):
        corrupted[data.draw(st.integers(0, len(corrupted) - 1))] = data.draw(st.integers(0, 255))
    assert verdict(relay_identity, identity_request, bytes(corrupted), make) in {
        "confirmed",
        Defect.CERTIFIER_BROKEN,
        Defect.IDENTITY,
    }


@pytest.fixture(scope="module")
def valid_response(parties, make, respond):
    relay_identity = RelayIdentity(
        "RELAY0000001", parties.relay.certificate, parties.relay.key, (parties.responder.certificate,)
    )
    identity_request = IdentityRequest(b"", NONCE, b"hash", make.TX_ID)
    return relay_identity, identity_request, respond(identity_request), make
