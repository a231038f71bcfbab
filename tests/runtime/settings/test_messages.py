"""Pydantic's complaints, told in plain words with key and what is allowed."""

import pytest

from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings
from relay.runtime.settings.loading import ConfigProblems, load
from relay.runtime.settings.messages import allowed, leaves, nearest, node_at


def keys(folder):
    with pytest.raises(ConfigProblems) as caught:
        load(folder.path, {})
    return [problem.key for problem in caught.value.problems]


BAD = [
    ("relay.yaml", "admin.port", 70000, "admin.port: is too large, a whole number from 0 to 65535"),
    ("relay.yaml", "admin.port", "8443", "admin.port: is not a whole number, a whole number from 0 to 65535"),
    ("relay.yaml", "admin.port", True, "admin.port: is not a whole number, a whole number from 0 to 65535"),
    ("relay.yaml", "admin.port", 1.5, "admin.port: is not a whole number, a whole number from 0 to 65535"),
    ("relay.yaml", "admin", 5, "admin: is not a section, a section with the keys address, port"),
    ("relay.yaml", "gateway.listeners", [], "gateway.listeners: has too few entries, a list of at least 1 sections"),
    ("relay.yaml", "gateway.listeners", 5, "gateway.listeners: is not a list, a list of at least 1 sections"),
    (
        "relay.yaml",
        "gateway.listeners.0.tls",
        "on",
        "gateway.listeners[0].tls: is neither true nor false, true or false",
    ),
    ("relay.yaml", "gateway.listeners.0.tls", 1, "gateway.listeners[0].tls: is neither true nor false, true or false"),
    (
        "relay.yaml",
        "gateway.listeners.0.tls",
        False,
        "gateway.listeners[0].client_certificate: needs tls, false on a leased line, or tls: true",
    ),
    (
        "relay.yaml",
        "gateway.listeners.0.proxy_protocol.enabled",
        True,
        "gateway.listeners[0].proxy_protocol.trusted: is empty though enabled is true, the networks",
    ),
    (
        "relay.yaml",
        "gateway.tls",
        None,
        "gateway.tls: is missing though a listener asks for tls, certificate, private_key, client_ca",
    ),
    (
        "relay.yaml",
        "gateway.tls.private_key",
        "hunter2",
        "gateway.tls.private_key: does not fit, a reference, file:PATH or env:NAME, never the secret itself",
    ),
    (
        "relay.yaml",
        "gateway.tls.certificate",
        "",
        "gateway.tls.certificate: is too short, a path, relative to the file that names it",
    ),
    (
        "relay.yaml",
        "gateway.timeouts.idle_s",
        0,
        "gateway.timeouts.idle_s: is too small, a number above 0 and at most 3600",
    ),
    (
        "relay.yaml",
        "gateway.limits.connections",
        0,
        "gateway.limits.connections: is too small, a whole number, at least 1",
    ),
    ("relay.yaml", "relay.org_code", 1234567890, "relay.org_code: is not text, 10 letters or digits, in quotes"),
    ("relay.yaml", "relay.org_code", "ABC", "relay.org_code: does not fit, 10 letters or digits, in quotes"),
    ("relay.yaml", "relay.name", 5, "relay.name: is not text, text, a number in quotes"),
    ("relay.yaml", "checking", "hard", "checking: is none of the choices, one of strict, lenient, off"),
    ("relay.yaml", "tokens.keys", [], "tokens.keys: is not text, a path, relative to the file that names it"),
    (
        "relay.yaml",
        "ledger.customer_keys.0.kid",
        "k" * 65,
        "ledger.customer_keys[0].kid: does not fit, 1 to 64 of 0-9A-Za-z._-",
    ),
    (
        "relay.yaml",
        "ledger.customer_keys",
        [{"kid": "a", "key": "env:X"}, {"kid": "a", "key": "env:Y"}],
        "ledger.customer_keys[1].kid: stands twice, another kid for each key",
    ),
    (
        "relay.yaml",
        "ledger.customer_keys.0.key",
        "c2VjcmV0",
        "ledger.customer_keys[0].key: does not fit, a reference, file:PATH or env:NAME, never the secret itself",
    ),
    (
        "relay.yaml",
        "ledger.url",
        "postgresql://relay:secret@db/ledger",
        "ledger.url: does not fit, sqlite:PATH, postgresql://HOST/DATABASE, or file:PATH or env:NAME",
    ),
    (
        "relay.yaml",
        "certifiers",
        [{"ca_code": "ZZCERT0001", "name": "One", "kind": "both"}],
        "certifiers[0].kind: is none of the choices, one of identity, signature",
    ),
    ("relay.yaml", "reload.watch_s", "soon", "reload.watch_s: is not a number, a number from 0 to 3600"),
    (
        "relay.yaml",
        "admin.prot",
        1,
        "admin.prot: is not known, perhaps port is meant, known keys: address, port",
    ),
    (
        "relay.yaml",
        "admin.body_bytes",
        1,
        "admin.body_bytes: is not known, perhaps gateway.limits.body_bytes is meant, known keys: address, port",
    ),
    ("relay.yaml", "admin.zzzzzz", 1, "admin.zzzzzz: is not known, known keys: address, port"),
    (
        "providers/bank.yaml",
        "base_urls",
        [],
        "base_urls: has too few entries, a list of 1 to 16 entries (https://host[:port][/path], or",
    ),
    (
        "providers/bank.yaml",
        "base_urls",
        ["http://bank.example"],
        "base_urls[0]: does not fit link: tls, begins with https://",
    ),
    (
        "providers/bank.yaml",
        "base_urls",
        ["https://127.1"],
        "base_urls[0]: does not fit, https://host[:port][/path], or http:// on a leased line",
    ),
    (
        "providers/bank.yaml",
        "ca",
        None,
        "ca: is missing, the CA that signed the institution's certificate, because link is tls",
    ),
    ("providers/bank.yaml", "certificate", "a.pem", "private_key: is missing beside certificate, both or neither"),
    ("providers/bank.yaml", "private_key", "env:X", "certificate: is missing beside private_key, both or neither"),
    ("providers/bank.yaml", "min_version", "v2", "min_version: is above version v1, v1 to v1"),
    ("providers/bank.yaml", "version", "1", "version: does not fit, v and a number, for example v1"),
    (
        "providers/bank.yaml",
        "industry",
        "banking",
        "industry: is none of the choices, one of bank, card, invest, insu, efin, capital",
    ),
    (
        "providers/bank.yaml",
        "apis.left_out",
        ["ba1"],
        "apis.left_out[0]: does not fit, two capital letters and two digits, for example BA01",
    ),
    (
        "providers/bank.yaml",
        "scheduled_slots",
        ["1-7"],
        "scheduled_slots[0]: does not fit, hhmm:hhmm in quotes, for example 0100:0700 or 2200:0400",
    ),
    ("providers/bank.yaml", "rate", {"burst": 5}, "rate.per_second: is missing, a number above 0 and at most 1000000"),
    (
        "directory.yaml",
        "operators.1.org_code",
        "ZOPA000001",
        "operators[1].org_code: stands twice: ZOPA000001, each org_code once",
    ),
    (
        "directory.yaml",
        "operators.1.services.0.client_id",
        "one1",
        "operators[1].services[0].client_id: stands twice: one1, each client_id once",
    ),
    (
        "directory.yaml",
        "operators.0.services.0.client_id",
        "x" * 51,
        "operators[0].services[0].client_id: does not fit, 1 to 50 letters or digits, in quotes",
    ),
    (
        "directory.yaml",
        "operators.0.serial_num",
        "---",
        "operators[0].serial_num: does not fit, letters and digits, hyphens allowed, in quotes, at most 20 characters",
    ),
    (
        "directory.yaml",
        "operators.0.addresses",
        [],
        "operators[0].addresses: has too few entries, a list of at least 1 entries",
    ),
]


@pytest.mark.parametrize(("file", "key", "value", "line"), BAD, ids=[f"{row[1]}={row[2]!r:.12}" for row in BAD])
def test_a_bad_value_is_told_with_its_key_and_what_is_allowed(folder, file, key, value, line):
    folder.put(file, key, value)
    with pytest.raises(ConfigProblems) as caught:
        load(folder.path, {})
    (found,) = caught.value.problems
    assert str(found).startswith(f"{folder.root}/{file}: {line}")


@pytest.mark.parametrize("number", [".nan", ".inf", "1e400", "9" * 30])
@pytest.mark.parametrize("key", ["watch_s", "queue"])
def test_no_number_is_endless(folder, key, number):
    section = {"watch_s": "reload", "queue": "access_log"}[key]
    folder.write("relay.yaml", folder.path.read_text() + f"{section}: {{{key}: {number}}}\n")
    assert keys(folder) == [f"{section}.{key}"]


def test_a_bad_entry_does_not_make_its_list_too_short(folder):
    folder.put("relay.yaml", "gateway.listeners.0.port", -1)
    assert keys(folder) == ["gateway.listeners[0].port"]


@pytest.mark.parametrize("model", [Settings, Provider, Directory])
def test_everything_that_may_be_written_can_be_told(model):
    told = {place: allowed(node_at(model, place)) for place in leaves(model)}
    assert all(told.values())
    assert not [text for text in told.values() if "^" in text]


def test_an_unknown_place_has_no_schema():
    assert node_at(Settings, ("gateway", "nothing")) is None
    assert node_at(Settings, ("nothing", 0, "more")) is None


def test_nothing_near_is_no_name():
    assert nearest("zzz", ["address"]) == ""
