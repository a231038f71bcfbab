"""Tests of the ledger built from settings; errors name key and file and say what to do."""

import base64

import pytest

from relay.domain.ledger import LedgerDown
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.schema import SchemaState
from relay.policy.settings.authority import LedgerSettings
from relay.runtime.commands.migrate import prepare_ledger
from relay.runtime.wiring.ledger import (
    LedgerSettingsError,
    build_ledger,
    build_sealer,
    describe_unreachable,
    resolve_ledger_url,
)

ONE = base64.b64encode(b"1" * 32).decode()


def settings(url="sqlite:ledger.db", **keys):
    keys = keys or {"one": "env:ONE"}
    listed = [{"kid": kid, "key": reference} for kid, reference in keys.items()]
    return LedgerSettings.model_validate({"url": url, "customer_keys": listed})


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("sqlite:/var/ledger.db", {}, "sqlite:/var/ledger.db"),
        ("postgresql://host/db", {}, "postgresql://host/db"),
        ("env:URL", {"URL": "postgresql://user:pass@host/db\n"}, "postgresql://user:pass@host/db"),
        ("env:URL", {"URL": " sqlite:/var/ledger.db \n"}, "sqlite:/var/ledger.db"),
    ],
)
def test_a_ledger_url_is_a_value_or_a_reference(url, environ, expected):
    assert resolve_ledger_url(settings(url), environ) == expected


def test_a_ledger_url_may_be_in_a_file(tmp_path):
    (tmp_path / "url").write_text("postgresql://user:pass@host/db\n")
    assert resolve_ledger_url(settings(f"file:{tmp_path}/url"), {}) == "postgresql://user:pass@host/db"


@pytest.mark.parametrize(
    ("url", "environ", "words"),
    [
        ("env:URL", {}, "ledger.url: the environment variable URL is not set: write the ledger's URL there"),
        ("file:/nowhere/url", {}, "ledger.url: the file /nowhere/url cannot be read"),
        ("env:URL", {"URL": "\udcff"}, "ledger.url: env:URL is not UTF-8"),
        (
            "env:URL",
            {"URL": "mysql://u:Zq7marker@h/db"},
            "postgresql://HOST/DATABASE: correct the environment variable",
        ),
        (
            "env:URL",
            {"URL": "postgresql://u:Zq7marker@h:x/d"},
            "port that is not a number: correct the environment variable URL",
        ),
        ("postgresql://host", {}, "postgresql://HOST/DATABASE: correct it"),
    ],
)
def test_an_unusable_ledger_url_names_its_place(url, environ, words):
    with pytest.raises(LedgerSettingsError) as caught:
        resolve_ledger_url(settings(url), environ)
    assert words in str(caught.value)
    assert "Zq7marker" not in str(caught.value)


def test_customer_keys_keep_their_order():
    two = base64.b64encode(b"2" * 32).decode()
    sealer = build_sealer(settings(two="env:TWO", one="env:ONE"), {"ONE": ONE + "\n", "TWO": two})
    second_only = Sealer([CustomerKey("two", b"2" * 32)])
    assert second_only.unseal(sealer.seal(b"ci", "row:1"), "row:1") == b"ci"
    assert sealer.customer_digests("ci")[1] == Sealer([CustomerKey("one", b"1" * 32)]).customer_digest("ci")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "ledger.customer_keys[0].key: the environment variable ONE is not set: `openssl rand -base64 32`"),
        ({"ONE": "Zq7marker!"}, "ledger.customer_keys[0].key: the environment variable ONE holds no base64"),
        ({"ONE": ONE[:-4] + "MQ=="}, "the environment variable ONE holds 31 bytes, not 32"),
        ({"ONE": "\udcff"}, "ledger.customer_keys[0].key: the environment variable ONE holds no base64"),
    ],
)
def test_an_unusable_customer_key_is_named_with_a_remedy(environ, words):
    with pytest.raises(LedgerSettingsError) as caught:
        build_sealer(settings(), environ)
    assert words in str(caught.value)
    assert "restore a key that is in use, never replace it" in str(caught.value)
    assert "Zq7marker" not in str(caught.value)


async def test_a_prepared_ledger_can_be_used(tmp_path):
    ledger_settings = settings(f"sqlite:{tmp_path}/ledger.db")
    assert await prepare_ledger(ledger_settings, {"ONE": ONE}) == (SchemaState.EMPTY, ("one",))
    ledger = build_ledger(ledger_settings, {"ONE": ONE})
    await ledger.check()
    assert await ledger.get_revocation_head() == 0
    await ledger.close()


def test_an_unreachable_ledger_is_reported_with_a_remedy():
    text = describe_unreachable(LedgerDown("connection refused"))
    assert text.startswith("the ledger does not answer (connection refused): check that its database runs")
    assert text.endswith("or correct ledger.url")
