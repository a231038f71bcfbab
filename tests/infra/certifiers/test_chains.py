import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.chains import Trust
from relay.infra.certifiers.revocation import Revocations


def verdict(trust, moment, signer, *others):
    """ "good", or the doubt."""
    try:
        trust.check(signer.certificate, [other.certificate for other in others], moment, "it")
    except Unproven as unproven:
        return unproven.doubt if unproven.detail == "it" else f"about {unproven.detail}"
    return "good"


def test_a_customer_of_the_certifier_is_vouched_for(trust, people, make):
    assert verdict(trust, make.MOMENT, people.customer, people.middle) == "good"


def test_a_chain_may_begin_at_a_ca_that_is_given_as_root(people, make):
    trust = Trust([people.middle.certificate], Revocations(()))
    assert verdict(trust, make.MOMENT, people.customer) == "good"


def test_others_that_do_not_belong_are_left_aside(trust, people, make):
    others = (people.neighbour, people.other_root, people.middle)
    assert verdict(trust, make.MOMENT, people.customer, *others) == "good"


@pytest.mark.parametrize("days", [-2, 2])
def test_a_certificate_holds_only_in_its_time(trust, people, make, days):
    assert verdict(trust, make.MOMENT + days * make.DAY, people.customer, people.middle) is Doubt.CERTIFICATE_EXPIRED


def test_the_issuer_must_be_there(trust, people, make):
    assert verdict(trust, make.MOMENT, people.customer) is Doubt.CHAIN


def test_a_ca_of_the_same_name_vouches_for_nobody(people, make):
    trust = Trust([people.other_root.certificate], Revocations(()))
    assert verdict(trust, make.MOMENT, people.customer, people.middle) is Doubt.CHAIN


def test_a_root_that_comes_along_is_no_root(trust, people, make, keys):
    theirs = make.certificate("customer", keys.spare, people.other_root)
    assert verdict(trust, make.MOMENT, theirs, people.other_root) is Doubt.CHAIN


def test_a_customer_issues_no_certificates(trust, people, make, keys):
    child = make.certificate("child", keys.spare, people.customer)
    assert verdict(trust, make.MOMENT, child, people.customer, people.middle) is Doubt.CHAIN


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


@pytest.mark.parametrize("wrong", ISSUERS)
def test_an_issuer_that_may_not_issue_vouches_for_nobody(trust, people, make, keys, wrong):
    given = dict(ISSUERS[wrong])
    if "end" in given:
        given |= {"begin": make.MOMENT - 3 * make.DAY, "end": make.MOMENT - make.DAY}
    issuer = make.certificate("issuer", keys.neighbour, people.root, **given)
    customer = make.certificate("customer", keys.spare, issuer)
    assert verdict(trust, make.MOMENT, customer, issuer) is Doubt.CHAIN


def test_a_path_length_is_kept(trust, people, make, keys):
    below = make.certificate("below", keys.spare, people.middle, ca=True)
    customer = make.certificate("customer", keys.neighbour, below)
    assert verdict(trust, make.MOMENT, customer, below, people.middle) is Doubt.CHAIN


def test_a_chain_of_four_cas_is_too_long(people, make, keys):
    chain = [make.certificate("ca0", keys.root, ca=True)]
    for number, key in enumerate((keys.middle, keys.neighbour, keys.desk, keys.other_root), 1):
        chain.append(make.certificate(f"ca{number}", key, chain[-1], ca=True))
    trust = Trust([chain[0].certificate], Revocations(()))
    at_three = make.certificate("customer", keys.spare, chain[2])
    at_four = make.certificate("customer", keys.spare, chain[4])
    assert verdict(trust, make.MOMENT, at_three, *chain[1:]) == "good"
    assert verdict(trust, make.MOMENT, at_four, *chain[1:]) is Doubt.CHAIN


SIGNERS = {
    "a CA": ({"ca": True, "usages": ("digital_signature", "key_cert_sign")}, Doubt.CHAIN),
    "only for TLS servers": ({"purposes": [ExtendedKeyUsageOID.SERVER_AUTH]}, Doubt.CHAIN),
    "only for OCSP": ({"purposes": [ExtendedKeyUsageOID.OCSP_SIGNING]}, Doubt.CHAIN),
    "for clients": ({"purposes": [ExtendedKeyUsageOID.CLIENT_AUTH]}, "good"),
    "for documents": ({"purposes": [x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")]}, "good"),
    "only for key transport": ({"usages": ("key_encipherment",)}, Doubt.CHAIN),
    "no usages": ({"usages": ()}, Doubt.CHAIN),
    "nonrepudiation alone": ({"usages": ("content_commitment",)}, "good"),
    "policies, critical": (
        {"more": [(x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)]), True)]},
        "good",
    ),
    "an unknown critical extension": (
        {"more": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]},
        Doubt.CHAIN,
    ),
    "signed with SHA-1": ({"sha1": True}, Doubt.CHAIN),
    "issued under another name": (
        {"issuer_name": x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "elsewhere")])},
        Doubt.CHAIN,
    ),
}


@pytest.mark.parametrize("kind", SIGNERS)
def test_a_signer_must_be_made_for_signing(trust, people, make, keys, kind):
    given, wanted = SIGNERS[kind]
    customer = make.certificate("customer", keys.spare, people.root, **given)
    assert verdict(trust, make.MOMENT, customer) == wanted


def test_a_weak_key_in_the_chain_is_no_chain(trust, people, make, keys):
    weak = make.certificate("weak", rsa.generate_private_key(65537, 1024), people.root, ca=True)
    customer = make.certificate("customer", keys.spare, weak)
    assert verdict(trust, make.MOMENT, customer, weak) is Doubt.CHAIN


def test_a_signature_of_another_key_is_no_chain(trust, people, make, keys):
    forger = type(people.root)(people.root.certificate, keys.other_root)
    assert verdict(trust, make.MOMENT, make.certificate("customer", keys.spare, forger)) is Doubt.CHAIN


@pytest.mark.parametrize(
    ("revoked", "doubt"), [(True, Doubt.CERTIFICATE_REVOKED), (False, "good")], ids=["revoked", "not revoked"]
)
def test_revocation_is_asked_for_every_certificate_below_the_root(people, make, revoked, doubt):
    of_root = make.crl(people.root, *([people.middle] if revoked else []))
    trust = Trust([people.root.certificate], Revocations([of_root, make.crl(people.middle)]))
    assert verdict(trust, make.MOMENT, people.customer, people.middle) == doubt
