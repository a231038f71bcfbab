import pytest

from relay.domain.ids import INDUSTRIES, ORG_CODE
from relay.sandbox.model import INSTITUTIONS, OPERATORS, RELAY_CODE, load_facts, load_token_key
from relay.sandbox.signing import IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER
from relay.sandbox.token_keys import ALGORITHMS


def test_each_industry_has_one_institution():
    assert tuple(INSTITUTIONS) == INDUSTRIES


def test_codes_are_unique():
    codes = [code for code, _ in INSTITUTIONS.values()] + [code for code, _, _ in OPERATORS]
    codes += [RELAY_CODE, IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER]
    assert len(set(codes)) == len(codes)
    assert all(ORG_CODE.fullmatch(code) for code in codes)


def test_client_ids_are_unique():
    ids = [client_id for _, _, services in OPERATORS for client_id, _ in services]
    assert len(set(ids)) == len(ids) == 3


def test_each_socket_has_its_own_address(built):
    assert built.gateway == f"https://127.0.0.1:{built.gateway_port}"
    assert built.admin == f"http://127.0.0.1:{built.admin_port}"
    assert built.pages == f"https://127.0.0.1:{built.pages_port}"
    sockets = [built.certifiers.identity_listener, built.certifiers.signature_listener, built.callback]
    ports = [listener.getsockname()[1] for listener in sockets] + [
        institution.port for institution in built.institutions.values()
    ]
    ports += [built.gateway_port, built.admin_port, built.pages_port]
    assert len(set(ports)) == len(ports)
    assert built.operators[0].callback.startswith(f"https://127.0.0.1:{built.callback.getsockname()[1]}/")


def test_no_secret_is_printed(built):
    printed = repr(built)
    secrets = [secret for operator in built.operators for secret in operator.client_secrets]
    assert [secret for secret in [*secrets, built.certifiers.client_secret] if secret in printed] == []


def test_facts_are_read_from_the_folder(built):
    assert load_facts(built.folder)["gateway"] == built.gateway


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_key_is_loaded_by_algorithm(built, algorithm):
    assert load_token_key(built.folder, algorithm) == built.certificates.token_keys[algorithm]
    assert (built.token_key == load_token_key(built.folder, algorithm)) == (algorithm == "ES256")
