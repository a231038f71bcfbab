import pytest
from cryptography import x509

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.revocation import Revocations

PART, OTHER_PART = "ldap://crl.example/ou=part1", "ldap://crl.example/ou=part2"


def verdict(lists, certificate, issuer, moment):
    """Returns "good", or the doubt."""
    try:
        Revocations(lists).check([(certificate.certificate, issuer.certificate)], moment, "field")
    except NotVerified as unproven:
        return unproven.reason if unproven.detail == "field" else f"about {unproven.detail}"
    return "good"


def distribution_point(*names, **flags):
    """Builds an issuingDistributionPoint."""
    fields = {
        "full_name": [x509.UniformResourceIdentifier(name) for name in names] or None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**fields, **flags})


@pytest.fixture
def customer(parties, make, keys):
    return make.certificate("customer", keys.spare, parties.root, points=[PART])


def test_without_lists_no_revocation_is_checked(customer, parties, make):
    assert verdict([], customer, parties.root, make.MOMENT) == "good"


def test_a_listed_certificate_is_revoked(customer, parties, make):
    assert (
        verdict([make.crl(parties.root, customer)], customer, parties.root, make.MOMENT) is Defect.CERTIFICATE_REVOKED
    )


def test_an_unlisted_certificate_is_good(customer, parties, make):
    assert verdict([make.crl(parties.root, parties.middle)], customer, parties.root, make.MOMENT) == "good"


def test_one_of_several_lists_is_enough_to_revoke(customer, parties, make):
    lists = [make.crl(parties.root), make.crl(parties.root, customer)]
    assert verdict(lists, customer, parties.root, make.MOMENT) is Defect.CERTIFICATE_REVOKED


UNUSABLE = {
    "stale": {"begin": -3, "end": -1},
    "not yet valid": {"begin": 1, "end": 2},
    "signed by another key": {"key": "other_root"},
    "signed with SHA-1": {"sha1": True},
    "a delta": {"more": [(x509.DeltaCRLIndicator(1), True)]},
    "indirect": {"more": [(distribution_point(indirect_crl=True), True)]},
    "of some reasons": {
        "more": [(distribution_point(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})), True)]
    },
    "of attribute certificates": {"more": [(distribution_point(only_contains_attribute_certs=True), True)]},
    "of another part": {"more": [(distribution_point(OTHER_PART), True)]},
    "of CAs": {"more": [(distribution_point(only_contains_ca_certs=True), True)]},
}


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.parametrize("revoked", [True, False])
def test_an_unusable_list_leaves_revocation_unknown(customer, parties, make, keys, kind, revoked):
    options = dict(UNUSABLE[kind])
    options |= {name: make.MOMENT + options[name] * make.DAY for name in ("begin", "end") if name in options}
    if "key" in options:
        options["key"] = getattr(keys, options["key"])
    crl = make.crl(parties.root, *([customer] if revoked else []), **options)
    assert verdict([crl], customer, parties.root, make.MOMENT) is Defect.REVOCATION_UNKNOWN


@pytest.mark.parametrize(
    "scope",
    [distribution_point(PART), distribution_point(OTHER_PART, PART), distribution_point(only_contains_user_certs=True)],
    ids=["part", "parts", "users"],
)
def test_a_partial_list_covers_its_distribution_points(customer, parties, make, scope):
    crl = make.crl(parties.root, customer, more=[(scope, True)])
    assert verdict([crl], customer, parties.root, make.MOMENT) is Defect.CERTIFICATE_REVOKED


def test_a_list_of_users_does_not_cover_cas(parties, make):
    crl = make.crl(parties.root, more=[(distribution_point(only_contains_user_certs=True), True)])
    assert verdict([crl], parties.middle, parties.root, make.MOMENT) is Defect.REVOCATION_UNKNOWN


def test_a_partial_list_needs_a_distribution_point(parties, make, keys):
    without_points = make.certificate("customer", keys.spare, parties.root)
    crl = make.crl(parties.root, more=[(distribution_point(PART), True)])
    assert verdict([crl], without_points, parties.root, make.MOMENT) is Defect.REVOCATION_UNKNOWN


def test_an_issuer_without_crl_sign_signs_no_list(make, keys):
    issuer = make.certificate("issuer", keys.root, ca=True, usages=("key_cert_sign",))
    customer = make.certificate("customer", keys.spare, issuer)
    assert verdict([make.crl(issuer)], customer, issuer, make.MOMENT) is Defect.REVOCATION_UNKNOWN


def test_a_list_of_another_ca_does_not_count(customer, parties, make):
    assert verdict([make.crl(parties.middle)], customer, parties.root, make.MOMENT) is Defect.REVOCATION_UNKNOWN
