import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.signed_data import check_signature, is_strong_key, parse_signed_data

CONTENT = b'{"consent":"x"}'


def verdict(data):
    """Returns "good", or the doubt."""
    try:
        check_signature(parse_signed_data(data, "field"), "field")
    except NotVerified as unproven:
        return unproven.reason
    return "good"


def sign_with_pkcs7(identity, digest, options=(), **more):
    builder = (
        pkcs7.PKCS7SignatureBuilder().set_data(CONTENT).add_signer(identity.certificate, identity.key, digest, **more)
    )
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, *options])


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda digest: digest.name)
@pytest.mark.parametrize("signer", ["customer", "other_customer"])
@pytest.mark.parametrize("options", [[], [pkcs7.PKCS7Options.NoCapabilities], [pkcs7.PKCS7Options.NoAttributes]])
def test_signatures_of_another_library_are_accepted(parties, signer, digest, options):
    assert verdict(sign_with_pkcs7(getattr(parties, signer), digest, options)) == "good"


def test_pss_of_another_library_is_accepted(parties):
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    assert verdict(sign_with_pkcs7(parties.customer, hashes.SHA256(), rsa_padding=pss)) == "good"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"digest": "sha512"},
        {"pss": True},
        {"by_key_id": True},
        {"attributes": False},
        {"signing_time": None},
        {"algorithm": {"algorithm": "rsassa_pkcs1v15"}},
    ],
    ids=str,
)
def test_every_form_of_the_rfc_is_accepted(parties, make, options):
    assert verdict(make.signed_data(CONTENT, parties.customer, **options)) == "good"


def test_parsing_returns_content_signer_and_time(parties, make):
    parsed = parse_signed_data(make.signed_data(CONTENT, parties.customer, extra=(parties.middle,)), "field")
    assert (parsed.content, parsed.signed_at) == (CONTENT, make.NOW)
    assert parsed.signer == parties.customer.certificate
    assert parsed.other_certificates == (parties.middle.certificate,)
    assert "customer" not in repr(parsed)


INVALID = {
    "sha1": ({"digest": "sha1"}, Defect.MALFORMED),
    "another algorithm": ({"algorithm": {"algorithm": "sha384_rsa"}}, Defect.MALFORMED),
    "dsa": ({"algorithm": {"algorithm": "sha256_dsa"}}, Defect.MALFORMED),
    "ecdsa with an RSA key": ({"algorithm": {"algorithm": "sha256_ecdsa"}}, Defect.SIGNATURE),
    "pss without parameters": ({"algorithm": {"algorithm": "rsassa_pss"}}, Defect.MALFORMED),
    "pss with another salt": ({"pss": 20}, Defect.SIGNATURE),
    "pss with a negative salt length": ({"pss": -1}, Defect.MALFORMED),
    "pss with a huge salt length": ({"pss": 2**70}, Defect.MALFORMED),
    "message digest of other content": ({"digest_of": b"something else"}, Defect.SIGNATURE),
    "signature over other bytes": ({"signed_bytes": b"something else"}, Defect.SIGNATURE),
    "another contentType attribute": ({"attribute_type": "signed_data"}, Defect.MALFORMED),
    "content of another type": ({"inner_type": "1.2.840.113549.1.9.16.1.4"}, Defect.MALFORMED),
    "detached": ({"detached": True}, Defect.MALFORMED),
    "no signer": ({"signers": 0}, Defect.MALFORMED),
    "two signers": ({"signers": 2}, Defect.MALFORMED),
    "no certificate": ({"certificates": ()}, Defect.MALFORMED),
    "data outside": ({"outer_type": "data"}, Defect.MALFORMED),
    "messageDigest twice": (
        {"more_attributes": [{"type": "message_digest", "values": [b"x" * 32]}]},
        Defect.MALFORMED,
    ),
}


@pytest.mark.parametrize("kind", INVALID)
def test_an_invalid_signature_is_refused(parties, make, kind):
    options, doubt = INVALID[kind]
    assert verdict(make.signed_data(CONTENT, parties.customer, **options)) is doubt


def test_another_key_than_the_certificates_is_refused(parties, make, keys):
    mismatched = type(parties.customer)(parties.customer.certificate, keys.relay)
    assert verdict(make.signed_data(CONTENT, mismatched)) is Defect.SIGNATURE


def test_a_signer_without_certificate_is_malformed(parties, make):
    assert (
        verdict(make.signed_data(CONTENT, parties.customer, certificates=(parties.other_customer,))) is Defect.MALFORMED
    )


def test_a_duplicate_signer_certificate_is_malformed(parties, make):
    twice = make.signed_data(CONTENT, parties.customer, by_key_id=True, extra=(parties.customer,))
    assert verdict(twice) is Defect.MALFORMED


def test_too_many_certificates_are_refused(parties, make):
    assert verdict(make.signed_data(CONTENT, parties.customer, extra=(parties.middle,) * 8)) is Defect.MALFORMED


def test_signed_attributes_are_never_taken_as_content(parties, make):
    """The signature of a document with attributes fits their DER as content without attributes (RFC 5652 5.4)."""
    document = cms.ContentInfo.load(make.signed_data(CONTENT, parties.customer))
    (info,) = document["content"]["signer_infos"]
    attributes = info["signed_attrs"].untag().dump()
    forged = cms.ContentInfo.load(make.signed_data(attributes, parties.customer, attributes=False))
    forged["content"]["signer_infos"][0]["signature"] = info["signature"].native
    assert verdict(forged.dump(force=True)) is Defect.MALFORMED


@pytest.mark.parametrize("trailer", [b"\x00", b"\x30\x00"])
def test_trailing_bytes_are_malformed(parties, make, trailer):
    assert verdict(make.signed_data(CONTENT, parties.customer) + trailer) is Defect.MALFORMED


@pytest.mark.parametrize(
    ("key", "is_strong"),
    [
        (lambda: rsa.generate_private_key(65537, 1024), False),
        (lambda: ec.generate_private_key(ec.SECP256R1()), True),
        (lambda: ec.generate_private_key(ec.SECP224R1()), False),
        (lambda: ec.generate_private_key(ec.SECP256K1()), False),
        (ed25519.Ed25519PrivateKey.generate, False),
        (lambda: dsa.generate_private_key(1024), False),
    ],
    ids=["rsa 1024", "P-256", "P-224", "secp256k1", "Ed25519", "dsa"],
)
def test_only_listed_key_types_and_sizes_are_strong(key, is_strong):
    assert is_strong_key(key().public_key()) is is_strong


def test_a_signature_with_a_weak_key_is_refused(parties, make):
    weak = make.certificate("weak", rsa.generate_private_key(65537, 1024), parties.middle)
    assert verdict(make.signed_data(CONTENT, weak)) is Defect.SIGNATURE


@settings(max_examples=600)
@given(data=st.data())
def test_a_corrupted_document_is_malformed_or_unverified(documents, data):
    """A change outside of the signed bytes may leave a valid document."""
    document = bytearray(data.draw(st.sampled_from(documents)))
    for _ in range(data.draw(st.integers(1, 4))):
        document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    assert verdict(bytes(document)) in {"good", Defect.MALFORMED, Defect.SIGNATURE}


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_garbage_is_malformed(garbage):
    assert verdict(garbage) is Defect.MALFORMED


@settings(max_examples=200)
@given(data=st.data())
def test_a_truncated_or_extended_document_is_malformed(documents, data):
    document = data.draw(st.sampled_from(documents))
    at = data.draw(st.integers(0, len(document) - 1))
    changed = document[:at] + data.draw(st.binary(max_size=30)) + document[at + data.draw(st.integers(0, 40)) :]
    if changed != document:
        assert verdict(changed) in {"good", Defect.MALFORMED, Defect.SIGNATURE}


@pytest.fixture(scope="module")
def documents(parties, make):
    """Valid documents of every kind."""
    option_sets = ({"pss": True}, {"by_key_id": True}, {"attributes": False}, {"digest": "sha512"})
    return [
        sign_with_pkcs7(parties.customer, hashes.SHA256()),
        make.signed_data(CONTENT, parties.other_customer, extra=(parties.middle,)),
        *(make.signed_data(CONTENT, parties.customer, **options) for options in option_sets),
    ]
