import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.chains import TrustStore
from relay.infra.certifiers.revocation import Revocations


def verdict(trust, moment, signer, *others):
    """Returns "good", or the doubt."""
    try:
        trust.check(signer.certificate, [other.certificate for other in others], moment, "field")
    except NotVerified as unproven:
        return unproven.reason if unproven.detail == "field" else f"about {unproven.detail}"
    return "good"


def test_a_chain_to_the_root_is_good(trust, parties, make):
    assert verdict(trust, make.MOMENT, parties.customer, parties.middle) == "good"


def test_an_intermediate_ca_may_be_a_trust_anchor(parties, make):
    trust = TrustStore([parties.middle.certificate], Revocations(()))
    assert verdict(trust, make.MOMENT, parties.customer) == "good"


def test_unrelated_certificates_are_ignored(trust, parties, make):
    others = (parties.other_customer, parties.other_root, parties.middle)
    assert verdict(trust, make.MOMENT, parties.customer, *others) == "good"


@pytest.mark.parametrize("days", [-2, 2])
def test_a_certificate_outside_its_validity_is_refused(trust, parties, make, days):
    assert verdict(trust, make.MOMENT + days * make.DAY, parties.customer, parties.middle) is Defect.CERTIFICATE_EXPIRED


def test_a_missing_issuer_breaks_the_chain(trust, parties, make):
    assert verdict(trust, make.MOMENT, parties.customer) is Defect.CHAIN


def test_a_ca_with_the_same_name_is_not_the_issuer(parties, make):
    trust = TrustStore([parties.other_root.certificate], Revocations(()))
    assert verdict(trust, make.MOMENT, parties.customer, parties.middle) is Defect.CHAIN


def test_a_root_sent_by_the_signer_is_not_trusted(trust, parties, make, keys):
    customer = make.certificate("customer", keys.spare, parties.other_root)
    assert verdict(trust, make.MOMENT, customer, parties.other_root) is Defect.CHAIN


def test_a_customer_cannot_issue_certificates(trust, parties, make, keys):
    child = make.certificate("child", keys.spare, parties.customer)
    assert verdict(trust, make.MOMENT, child, parties.customer, parties.middle) is Defect.CHAIN


ISSUERS = {
    "not a CA": {"ca": True, "basic": False},
    "may not sign certificates": {"ca": True, "usages": ("digital_signature", "crl_sign")},
    "no usages": {"ca": True, "usages": ()},
    "expired": {"ca": True, "end": "yesterday"},
    "an unknown critical extension": {
        "ca": True,
        "more": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)],
    },
}


@pytest.mark.parametrize("kind", ISSUERS)
def test_an_issuer_without_ca_rights_breaks_the_chain(trust, parties, make, keys, kind):
    options = dict(ISSUERS[kind])
    if "end" in options:
        options |= {"begin": make.MOMENT - 3 * make.DAY, "end": make.MOMENT - make.DAY}
    issuer = make.certificate("issuer", keys.other_customer, parties.root, **options)
    customer = make.certificate("customer", keys.spare, issuer)
    assert verdict(trust, make.MOMENT, customer, issuer) is Defect.CHAIN


def test_a_path_length_is_enforced(trust, parties, make, keys):
    below = make.certificate("below", keys.spare, parties.middle, ca=True)
    customer = make.certificate("customer", keys.other_customer, below)
    assert verdict(trust, make.MOMENT, customer, below, parties.middle) is Defect.CHAIN


def test_a_chain_of_four_cas_is_too_long(parties, make, keys):
    chain = [make.certificate("ca0", keys.root, ca=True)]
    for number, key in enumerate((keys.middle, keys.other_customer, keys.responder, keys.other_root), 1):
        chain.append(make.certificate(f"ca{number}", key, chain[-1], ca=True))
    trust = TrustStore([chain[0].certificate], Revocations(()))
    at_three = make.certificate("customer", keys.spare, chain[2])
    at_four = make.certificate("customer", keys.spare, chain[4])
    assert verdict(trust, make.MOMENT, at_three, *chain[1:]) == "good"
    assert verdict(trust, make.MOMENT, at_four, *chain[1:]) is Defect.CHAIN


SIGNERS = {
    "a CA": ({"ca": True, "usages": ("digital_signature", "key_cert_sign")}, Defect.CHAIN),
    "only for TLS servers": ({"purposes": [ExtendedKeyUsageOID.SERVER_AUTH]}, Defect.CHAIN),
    "only for OCSP": ({"purposes": [ExtendedKeyUsageOID.OCSP_SIGNING]}, Defect.CHAIN),
    "for clients": ({"purposes": [ExtendedKeyUsageOID.CLIENT_AUTH]}, "good"),
    "for documents": ({"purposes": [x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")]}, "good"),
    "only for key transport": ({"usages": ("key_encipherment",)}, Defect.CHAIN),
    "no usages": ({"usages": ()}, Defect.CHAIN),
    "nonrepudiation alone": ({"usages": ("content_commitment",)}, "good"),
    "policies, critical": (
        {"more": [(x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)]), True)]},
        "good",
    ),
    "an unknown critical extension": (
        {"more": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]},
        Defect.CHAIN,
    ),
    "signed with SHA-1": ({"sha1": True}, Defect.CHAIN),
    "another issuer name": (
        {"issuer_name": x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "elsewhere")])},
        Defect.CHAIN,
    ),
}


@pytest.mark.parametrize("kind", SIGNERS)
def test_a_signer_certificate_must_allow_signing(trust, parties, make, keys, kind):
    options, wanted = SIGNERS[kind]
    customer = make.certificate("customer", keys.spare, parties.root, **options)
    assert verdict(trust, make.MOMENT, customer) == wanted


def test_a_weak_key_breaks_the_chain(trust, parties, make, keys):
    weak = make.certificate("weak", rsa.generate_private_key(65537, 1024), parties.root, ca=True)
    customer = make.certificate("customer", keys.spare, weak)
    assert verdict(trust, make.MOMENT, customer, weak) is Defect.CHAIN


def test_a_forged_signature_breaks_the_chain(trust, parties, make, keys):
    forger = type(parties.root)(parties.root.certificate, keys.other_root)
    assert verdict(trust, make.MOMENT, make.certificate("customer", keys.spare, forger)) is Defect.CHAIN


@pytest.mark.parametrize(
    ("revoked", "doubt"), [(True, Defect.CERTIFICATE_REVOKED), (False, "good")], ids=["revoked", "not revoked"]
)
def test_every_certificate_below_the_root_may_be_revoked(parties, make, revoked, doubt):
    root_crl = make.crl(parties.root, *([parties.middle] if revoked else []))
    trust = TrustStore([parties.root.certificate], Revocations([root_crl, make.crl(parties.middle)]))
    assert verdict(trust, make.MOMENT, parties.customer, parties.middle) == doubt
