import pytest

from relay.domain.authorization.signed_consent import CertificateSigned, Defect, HashSigned, NotVerified


@pytest.mark.parametrize("reason", Defect)
def test_the_message_names_the_reason_and_the_field(reason):
    assert str(NotVerified(reason)) == reason.value
    assert str(NotVerified(reason, "password")) == f"{reason.value}: password"


@pytest.mark.parametrize(
    "consent",
    [CertificateSigned("tx", "secret", b"secret", b"secret", b"secret", b"secret"), HashSigned("tx", *["secret"] * 4)],
)
def test_repr_of_a_signed_consent_hides_the_customer(consent):
    assert "secret" not in repr(consent)
