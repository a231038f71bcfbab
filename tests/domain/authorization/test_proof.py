import pytest

from relay.domain.authorization.proof import CertificateSigned, Doubt, HashSigned, Unproven


@pytest.mark.parametrize("doubt", Doubt)
def test_a_doubt_tells_its_name_and_the_field(doubt):
    assert str(Unproven(doubt)) == doubt.value
    assert str(Unproven(doubt, "password")) == f"{doubt.value}: password"


@pytest.mark.parametrize(
    "signed",
    [CertificateSigned("tx", "secret", b"secret", b"secret", b"secret", b"secret"), HashSigned("tx", *["secret"] * 4)],
)
def test_what_is_to_be_proven_shows_nothing_of_the_customer(signed):
    assert "secret" not in repr(signed)
