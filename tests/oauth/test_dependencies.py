"""Reprs show neither secrets nor customers."""

from relay.domain.party import Service
from relay.oauth.dependencies import Client, TokenCall
from relay.policy.settings.directory import LinkKind, Provider

CLIENT = Client(Service("one1", "One", "ZOPA000001"), "$scrypt$PRIVATE")
BANK = Provider(
    org_code="ZBAA000001", name="Bank", industry="bank", base_urls=("http://127.0.0.1:1",), link=LinkKind.LEASED_LINE
)


def test_a_client_does_not_show_its_hash():
    assert "PRIVATE" not in repr(CLIENT)


def test_a_call_does_not_show_its_form():
    form = {"client_secret": "PRIVATE", "username": "PRIVATE"}
    assert "PRIVATE" not in repr(TokenCall(form, CLIENT, BANK, 1))
