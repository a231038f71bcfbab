from dataclasses import replace

from mydata_sandbox.environment.model import load_facts
from mydata_sandbox.environment.relay_address import RelayAddress


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


def test_a_relay_that_is_started_by_hand_has_its_own_host(built):
    relay = RelayAddress("relay.example", built.gateway_port, "192.0.2.7")
    remote = replace(built, relay=relay)
    assert remote.gateway == f"https://relay.example:{built.gateway_port}"
    assert remote.pages == f"https://relay.example:{built.pages_port}"
    assert remote.addresses == ("127.0.0.1", "::1", "192.0.2.7")
    assert built.addresses == ("127.0.0.1", "::1")
