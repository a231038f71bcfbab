import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.signed_data import check_signature, read_signed, strong

CONTENT = b'{"consent":"x"}'


def verdict(data):
    """ "good", or the doubt."""
    try:
        check_signature(read_signed(data, "it"), "it")
    except Unproven as unproven:
        return unproven.doubt
    return "good"


def foreign_toolkit(identity, digest, options=(), **more):
    builder = (
        pkcs7.PKCS7SignatureBuilder().set_data(CONTENT).add_signer(identity.certificate, identity.key, digest, **more)
    )
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, *options])


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda each: each.name)
@pytest.mark.parametrize("signer", ["customer", "neighbour"])
@pytest.mark.parametrize("options", [[], [pkcs7.PKCS7Options.NoCapabilities], [pkcs7.PKCS7Options.NoAttributes]])
def test_signatures_of_another_toolkit_are_read(people, signer, digest, options):
    assert verdict(foreign_toolkit(getattr(people, signer), digest, options)) == "good"


def test_pss_of_another_toolkit_is_read(people):
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    assert verdict(foreign_toolkit(people.customer, hashes.SHA256(), rsa_padding=pss)) == "good"


@pytest.mark.parametrize(
    "given",
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
def test_every_form_that_the_rfc_allows_is_good(people, make, given):
    assert verdict(make.signed_data(CONTENT, people.customer, **given)) == "good"


def test_what_was_signed_is_told(people, make):
    found = read_signed(make.signed_data(CONTENT, people.customer, beside=(people.middle,)), "it")
    assert (found.content, found.signed_at) == (CONTENT, make.NOW)
    assert found.signer == people.customer.certificate
    assert found.others == (people.middle.certificate,)
    assert "customer" not in repr(found)


MISFORTUNES = {
    "sha1": ({"digest": "sha1"}, Doubt.MALFORMED),
    "another algorithm told": ({"algorithm": {"algorithm": "sha384_rsa"}}, Doubt.MALFORMED),
    "dsa told": ({"algorithm": {"algorithm": "sha256_dsa"}}, Doubt.MALFORMED),
    "ecdsa told of an RSA key": ({"algorithm": {"algorithm": "sha256_ecdsa"}}, Doubt.SIGNATURE),
    "pss without parameters": ({"algorithm": {"algorithm": "rsassa_pss"}}, Doubt.MALFORMED),
    "pss with another salt": ({"pss": 20}, Doubt.SIGNATURE),
    "pss with a salt below nothing": ({"pss": -1}, Doubt.MALFORMED),
    "pss with a salt beyond numbers": ({"pss": 2**70}, Doubt.MALFORMED),
    "message digest of other content": ({"digest_of": b"something else"}, Doubt.SIGNATURE),
    "signature over other bytes": ({"signed_bytes": b"something else"}, Doubt.SIGNATURE),
    "content type told is another": ({"told_type": "signed_data"}, Doubt.MALFORMED),
    "content of another type": ({"inner_type": "1.2.840.113549.1.9.16.1.4"}, Doubt.MALFORMED),
    "detached": ({"detached": True}, Doubt.MALFORMED),
    "no signer": ({"signers": 0}, Doubt.MALFORMED),
    "two signers": ({"signers": 2}, Doubt.MALFORMED),
    "no certificate": ({"held": ()}, Doubt.MALFORMED),
    "data outside": ({"outer_type": "data"}, Doubt.MALFORMED),
    "messageDigest twice": (
        {"more_attributes": [{"type": "message_digest", "values": [b"x" * 32]}]},
        Doubt.MALFORMED,
    ),
}


@pytest.mark.parametrize("misfortune", MISFORTUNES)
def test_a_signature_that_is_wrong_is_doubted(people, make, misfortune):
    given, doubt = MISFORTUNES[misfortune]
    assert verdict(make.signed_data(CONTENT, people.customer, **given)) is doubt


def test_the_certificate_of_somebody_else_verifies_nothing(people, make, keys):
    borrowed = type(people.customer)(people.customer.certificate, keys.us)
    assert verdict(make.signed_data(CONTENT, borrowed)) is Doubt.SIGNATURE


def test_a_signer_that_is_not_among_the_certificates_is_unknown(people, make):
    assert verdict(make.signed_data(CONTENT, people.customer, held=(people.neighbour,))) is Doubt.MALFORMED


def test_a_signer_that_stands_twice_is_ambiguous(people, make):
    twice = make.signed_data(CONTENT, people.customer, by_key_id=True, beside=(people.customer,))
    assert verdict(twice) is Doubt.MALFORMED


def test_too_many_certificates_are_refused(people, make):
    assert verdict(make.signed_data(CONTENT, people.customer, beside=(people.middle,) * 8)) is Doubt.MALFORMED


def test_signed_attributes_never_pass_for_content(people, make):
    """The signature of a document with attributes fits their DER as content without attributes (RFC 5652 5.4)."""
    document = cms.ContentInfo.load(make.signed_data(CONTENT, people.customer))
    (info,) = document["content"]["signer_infos"]
    attributes = info["signed_attrs"].untag().dump()
    forged = cms.ContentInfo.load(make.signed_data(attributes, people.customer, attributes=False))
    forged["content"]["signer_infos"][0]["signature"] = info["signature"].native
    assert verdict(forged.dump(force=True)) is Doubt.MALFORMED


@pytest.mark.parametrize("behind", [b"\x00", b"\x30\x00"])
def test_nothing_stands_behind_the_document(people, make, behind):
    assert verdict(make.signed_data(CONTENT, people.customer) + behind) is Doubt.MALFORMED


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
def test_keys_of_other_kinds_and_sizes_are_weak(key, is_strong):
    assert strong(key().public_key()) is is_strong


def test_a_weak_key_verifies_nothing(people, make):
    weak = make.certificate("weak", rsa.generate_private_key(65537, 1024), people.middle)
    assert verdict(make.signed_data(CONTENT, weak)) is Doubt.SIGNATURE


@settings(max_examples=600)
@given(data=st.data())
def test_a_document_with_some_bytes_changed_is_malformed_or_does_not_verify(documents, data):
    """The bytes that matter are under the signature; changing any of the others may leave a good document."""
    document = bytearray(data.draw(st.sampled_from(documents)))
    for _ in range(data.draw(st.integers(1, 4))):
        document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    assert verdict(bytes(document)) in {"good", Doubt.MALFORMED, Doubt.SIGNATURE}


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_garbage_is_malformed(garbage):
    assert verdict(garbage) is Doubt.MALFORMED


@settings(max_examples=200)
@given(data=st.data())
def test_a_document_cut_or_grown_is_malformed(documents, data):
    document = data.draw(st.sampled_from(documents))
    at = data.draw(st.integers(0, len(document) - 1))
    grown = document[:at] + data.draw(st.binary(max_size=30)) + document[at + data.draw(st.integers(0, 40)) :]
    if grown != document:
        assert verdict(grown) in {"good", Doubt.MALFORMED, Doubt.SIGNATURE}


@pytest.fixture(scope="module")
def documents(people, make):
    """Good documents of every kind, to be spoiled."""
    given = ({"pss": True}, {"by_key_id": True}, {"attributes": False}, {"digest": "sha512"})
    return [
        foreign_toolkit(people.customer, hashes.SHA256()),
        make.signed_data(CONTENT, people.neighbour, beside=(people.middle,)),
        *(make.signed_data(CONTENT, people.customer, **each) for each in given),
    ]
