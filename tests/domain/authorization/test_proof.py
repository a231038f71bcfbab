import pytest

from relay.domain.authorization.proof import CertificateSigned, Doubt, HashSigned, Unproven


@pytest.mark.parametrize("reason", Doubt)
def test_the_message_names_the_reason_and_the_field(reason):
    assert str(Unproven(reason)) == reason.value
    assert str(Unproven(reason, "password")) == f"{reason.value}: password"


@pytest.mark.parametrize(
    "consent",
    [CertificateSigned("tx", "secret", b"secret", b"secret", b"secret", b"secret"), HashSigned("tx", *["secret"] * 4)],
)
def test_repr_of_a_signed_consent_hides_the_customer(consent):
    assert "secret" not in repr(consent)
