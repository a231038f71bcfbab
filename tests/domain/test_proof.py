"""A signed consent, and why it proves nothing."""

import pytest

from relay.domain.proof import CertificateSigned, Doubt, HashSigned, Unproven


@pytest.mark.parametrize(
    ("detail", "told"), [("", "chain"), ("signed_person_info_req", "chain: signed_person_info_req")]
)
def test_a_doubt_names_the_field_where_there_is_one(detail, told):
    unproven = Unproven(Doubt.CHAIN, detail)
    assert (str(unproven), unproven.doubt, unproven.detail) == (told, Doubt.CHAIN, detail)


def test_what_costs_most_is_looked_at_last():
    order = list(Doubt)
    assert order.index(Doubt.MALFORMED) < order.index(Doubt.SIGNATURE) < order.index(Doubt.IDENTITY)


def test_a_signed_consent_shows_nothing_of_the_customer():
    certificate = CertificateSigned("tx", "PRIVATE", b"PRIVATE", b"PRIVATE", b"PRIVATE", b"PRIVATE")
    assert "PRIVATE" not in repr(certificate)
    assert "PRIVATE" not in repr(HashSigned("tx", "PRIVATE", "PRIVATE", "PRIVATE", "number"))
