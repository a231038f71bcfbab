import pytest
from cryptography import x509

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.revocation import Revocations

PART, OTHER_PART = "ldap://crl.example/ou=part1", "ldap://crl.example/ou=part2"


def verdict(lists, certificate, issuer, moment):
    """ "good", or the doubt."""
    try:
        Revocations(lists).check([(certificate.certificate, issuer.certificate)], moment, "it")
    except Unproven as unproven:
        return unproven.doubt if unproven.detail == "it" else f"about {unproven.detail}"
    return "good"


def part(*names, **flags):
    """An issuingDistributionPoint."""
    told = {
        "full_name": [x509.UniformResourceIdentifier(name) for name in names] or None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**told, **flags})


@pytest.fixture
def customer(people, make, keys):
    return make.certificate("customer", keys.spare, people.root, points=[PART])


def test_without_lists_nothing_is_looked_up(customer, people, make):
    assert verdict([], customer, people.root, make.MOMENT) == "good"


def test_who_is_on_the_list_is_revoked(customer, people, make):
    assert verdict([make.crl(people.root, customer)], customer, people.root, make.MOMENT) is Doubt.CERTIFICATE_REVOKED


def test_who_is_not_on_it_is_good(customer, people, make):
    assert verdict([make.crl(people.root, people.middle)], customer, people.root, make.MOMENT) == "good"


def test_one_list_of_several_is_enough_to_be_revoked(customer, people, make):
    lists = [make.crl(people.root), make.crl(people.root, customer)]
    assert verdict(lists, customer, people.root, make.MOMENT) is Doubt.CERTIFICATE_REVOKED


UNUSABLE = {
    "stale": {"begin": -3, "end": -1},
    "of tomorrow": {"begin": 1, "end": 2},
    "signed by another key": {"key": "other_root"},
    "signed with SHA-1": {"sha1": True},
    "a delta": {"more": [(x509.DeltaCRLIndicator(1), True)]},
    "indirect": {"more": [(part(indirect_crl=True), True)]},
    "of some reasons": {"more": [(part(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})), True)]},
    "of attribute certificates": {"more": [(part(only_contains_attribute_certs=True), True)]},
    "of another part": {"more": [(part(OTHER_PART), True)]},
    "of CAs": {"more": [(part(only_contains_ca_certs=True), True)]},
}


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.parametrize("revoked", [True, False])
def test_a_list_that_cannot_be_used_tells_nothing(customer, people, make, keys, kind, revoked):
    given = dict(UNUSABLE[kind])
    given |= {name: make.MOMENT + given[name] * make.DAY for name in ("begin", "end") if name in given}
    if "key" in given:
        given["key"] = getattr(keys, given["key"])
    found = make.crl(people.root, *([customer] if revoked else []), **given)
    assert verdict([found], customer, people.root, make.MOMENT) is Doubt.REVOCATION_UNKNOWN


@pytest.mark.parametrize(
    "scope", [part(PART), part(OTHER_PART, PART), part(only_contains_user_certs=True)], ids=["part", "parts", "users"]
)
def test_a_part_covers_those_that_point_at_it(customer, people, make, scope):
    found = make.crl(people.root, customer, more=[(scope, True)])
    assert verdict([found], customer, people.root, make.MOMENT) is Doubt.CERTIFICATE_REVOKED


def test_a_list_of_users_tells_nothing_of_cas(people, make):
    found = make.crl(people.root, more=[(part(only_contains_user_certs=True), True)])
    assert verdict([found], people.middle, people.root, make.MOMENT) is Doubt.REVOCATION_UNKNOWN


def test_who_points_nowhere_is_in_no_part(people, make, keys):
    pointless = make.certificate("customer", keys.spare, people.root)
    found = make.crl(people.root, more=[(part(PART), True)])
    assert verdict([found], pointless, people.root, make.MOMENT) is Doubt.REVOCATION_UNKNOWN


def test_an_issuer_that_may_sign_no_lists_signs_none(make, keys):
    issuer = make.certificate("issuer", keys.root, ca=True, usages=("key_cert_sign",))
    customer = make.certificate("customer", keys.spare, issuer)
    assert verdict([make.crl(issuer)], customer, issuer, make.MOMENT) is Doubt.REVOCATION_UNKNOWN


def test_a_list_of_another_ca_tells_nothing(customer, people, make):
    assert verdict([make.crl(people.middle)], customer, people.root, make.MOMENT) is Doubt.REVOCATION_UNKNOWN
