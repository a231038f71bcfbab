import pytest

from relay.domain.authorization import ports
from relay.infra.tokens.client_secrets import ClientSecrets
from relay.infra.tokens.signing import TokenSigner


@pytest.mark.parametrize(
    ("port", "implementation"), [(ports.TokenSigner, TokenSigner), (ports.SecretChecker, ClientSecrets)]
)
def test_a_port_is_implemented_by_infra(port, implementation):
    duties = [name for name in vars(port) if not name.startswith("_")]
    assert duties
    assert all(callable(getattr(implementation, name)) for name in duties)
