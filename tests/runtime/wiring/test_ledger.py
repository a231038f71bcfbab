"""The settings lead to a ledger, or say which key and file is wrong and what to do."""

import base64

import pytest

from relay.domain.ledger import Unreachable
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.schema import SchemaState
from relay.policy.settings.authority import LedgerSettings
from relay.runtime.wiring.ledger import LedgerUnfit, ledger_of, opened, prepared, sealer_of, unanswered, url_of

ONE = base64.b64encode(b"1" * 32).decode()


def settings(url="sqlite:ledger.db", **keys):
    keys = keys or {"one": "env:ONE"}
    listed = [{"kid": kid, "key": reference} for kid, reference in keys.items()]
    return LedgerSettings.model_validate({"url": url, "customer_keys": listed})


@pytest.mark.parametrize(
    ("url", "environ", "found"),
    [
        ("sqlite:/var/ledger.db", {}, "sqlite:/var/ledger.db"),
        ("postgresql://host/db", {}, "postgresql://host/db"),
        ("env:URL", {"URL": "postgresql://user:pass@host/db\n"}, "postgresql://user:pass@host/db"),
        ("env:URL", {"URL": " sqlite:/var/ledger.db \n"}, "sqlite:/var/ledger.db"),
    ],
)
def test_a_url_stands_in_the_settings_or_where_they_say(url, environ, found):
    assert url_of(settings(url), environ) == found


def test_a_url_may_stand_in_a_file(tmp_path):
    (tmp_path / "url").write_text("postgresql://user:pass@host/db\n")
    assert url_of(settings(f"file:{tmp_path}/url"), {}) == "postgresql://user:pass@host/db"


@pytest.mark.parametrize(
    ("url", "environ", "words"),
    [
        ("env:URL", {}, "ledger.url: the environment variable URL is not set: write the ledger's URL there"),
        ("file:/nowhere/url", {}, "ledger.url: the file /nowhere/url cannot be read"),
        ("env:URL", {"URL": "\udcff"}, "ledger.url: no text stands in env:URL"),
        (
            "env:URL",
            {"URL": "mysql://u:Zq7marker@h/db"},
            "postgresql://HOST/DATABASE: correct the environment variable",
        ),
        (
            "env:URL",
            {"URL": "postgresql://u:Zq7marker@h:x/d"},
            "port that is no number: correct the environment variable URL",
        ),
        ("postgresql://host", {}, "postgresql://HOST/DATABASE: correct it"),
    ],
)
def test_a_url_that_leads_nowhere_says_where_it_stands(url, environ, words):
    with pytest.raises(LedgerUnfit) as caught:
        url_of(settings(url), environ)
    assert words in str(caught.value)
    assert "Zq7marker" not in str(caught.value)


def test_customer_keys_seal_in_their_order():
    two = base64.b64encode(b"2" * 32).decode()
    sealer = sealer_of(settings(two="env:TWO", one="env:ONE"), {"ONE": ONE + "\n", "TWO": two})
    alone = Sealer([CustomerKey("two", b"2" * 32)])
    assert alone.unseal(sealer.seal(b"ci", "row:1"), "row:1") == b"ci"
    assert sealer.customers("ci")[1] == Sealer([CustomerKey("one", b"1" * 32)]).customer("ci")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "ledger.customer_keys[0].key: the environment variable ONE is not set: `openssl rand -base64 32`"),
        ({"ONE": "Zq7marker!"}, "ledger.customer_keys[0].key: no base64 stands in the environment variable ONE"),
        ({"ONE": ONE[:-4] + "MQ=="}, "31 bytes stand in the environment variable ONE, not 32"),
        ({"ONE": "\udcff"}, "ledger.customer_keys[0].key: no base64 stands in the environment variable ONE"),
    ],
)
def test_a_key_that_is_none_says_which_and_what_to_do(environ, words):
    with pytest.raises(LedgerUnfit) as caught:
        sealer_of(settings(), environ)
    assert words in str(caught.value)
    assert "a key in use is brought back, never made anew" in str(caught.value)
    assert "Zq7marker" not in str(caught.value)


async def test_the_ledger_is_open(tmp_path):
    found = settings(f"sqlite:{tmp_path}/ledger.db")
    assert await prepared(found, {"ONE": ONE}) == (SchemaState.EMPTY, ("one",))
    for ledger in (await opened(found, {"ONE": ONE}), ledger_of(found, {"ONE": ONE})):
        await ledger.check()
        assert await ledger.revocation_head() == 0
        await ledger.close()


def test_a_ledger_that_does_not_answer_is_told_with_what_to_do():
    said = unanswered(Unreachable("connection refused"))
    assert said.startswith("the ledger does not answer (connection refused): see that its database runs")
    assert said.endswith("or correct ledger.url")
