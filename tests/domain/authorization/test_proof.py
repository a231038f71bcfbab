import pytest

from relay.domain.authorization.proof import CertificateSigned, Doubt, HashSigned, Unproven


@pytest.mark.parametrize("doubt", Doubt)
def test_the_message_names_the_reason_and_the_field(doubt):
    assert str(Unproven(doubt)) == doubt.value
    assert str(Unproven(doubt, "password")) == f"{doubt.value}: password"


@pytest.mark.parametrize(
    "signed",
    [CertificateSigned("tx", "secret", b"secret", b"secret", b"secret", b"secret"), HashSigned("tx", *["secret"] * 4)],
)
def test_repr_of_a_signed_consent_hides_the_customer(signed):
    assert "secret" not in repr(signed)
