"""Errors of pydantic become problems with key, what is wrong and what is allowed."""

import pytest

from relay.policy.mediation.settings import TelegramLink, TelegramMessage
from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings
from relay.runtime.settings.loading import SettingsError, load_settings
from relay.runtime.settings.messages import describe_allowed, find_leaves, find_nearest, get_schema_node


def get_keys(folder):
    with pytest.raises(SettingsError) as caught:
        load_settings(folder.path, {})
    return [problem.key for problem in caught.value.problems]


BAD = [
    ("relay.yaml", "admin.port", 70000, "admin.port: is too large; expected: a whole number from 0 to 65535"),
    ("relay.yaml", "admin.port", "8443", "admin.port: is not a whole number; expected: a whole number from 0 to 65535"),
    ("relay.yaml", "admin.port", True, "admin.port: is not a whole number; expected: a whole number from 0 to 65535"),
    ("relay.yaml", "admin.port", 1.5, "admin.port: is not a whole number; expected: a whole number from 0 to 65535"),
    ("relay.yaml", "admin", 5, "admin: is not a section; expected: a section with the keys address, port"),
    (
        "relay.yaml",
        "gateway.listeners",
        [],
        "gateway.listeners: has too few entries; expected: a list of at least 1 sections",
    ),
    ("relay.yaml", "gateway.listeners", 5, "gateway.listeners: is not a list; expected: a list of at least 1 sections"),
    (
        "relay.yaml",
        "gateway.listeners.0.tls",
        "on",
        "gateway.listeners[0].tls: is neither true nor false; expected: true or false",
    ),
    (
        "relay.yaml",
        "gateway.listeners.0.tls",
        1,
        "gateway.listeners[0].tls: is neither true nor false; expected: true or false",
    ),
    (
        "relay.yaml",
        "gateway.listeners.0.tls",
        False,
        "gateway.listeners[0].client_certificate: requires tls: true; expected: false on a leased line, or tls: true",
    ),
    (
        "relay.yaml",
        "gateway.listeners.0.proxy_protocol.enabled",
        True,
        "gateway.listeners[0].proxy_protocol.trusted: is empty, but enabled is true; expected: the networks",
    ),
    (
        "relay.yaml",
        "gateway.tls",
        None,
        "gateway.tls: is missing, but a listener has tls: true; expected: certificate, private_key, client_ca",
    ),
    (
        "relay.yaml",
        "gateway.tls.private_key",
        "hunter2",
        "gateway.tls.private_key: is not valid; expected: a reference, file:PATH or env:NAME, not the secret",
    ),
    (
        "relay.yaml",
        "gateway.tls.certificate",
        "",
        "gateway.tls.certificate: is too short; expected: a path, relative to the file that names it",
    ),
    (
        "relay.yaml",
        "gateway.timeouts.idle_s",
        0,
        "gateway.timeouts.idle_s: is too small; expected: a number above 0 and at most 3600",
    ),
    (
        "relay.yaml",
        "gateway.limits.connections",
        0,
        "gateway.limits.connections: is too small; expected: a whole number, at least 1",
    ),
    (
        "relay.yaml",
        "relay.org_code",
        1234567890,
        "relay.org_code: is not text; expected: 10 letters or digits, in quotes",
    ),
    ("relay.yaml", "relay.org_code", "ABC", "relay.org_code: is not valid; expected: 10 letters or digits, in quotes"),
    ("relay.yaml", "relay.name", 5, "relay.name: is not text; expected: text, a number in quotes"),
    ("relay.yaml", "checking", "hard", "checking: is not one of the choices; expected: one of strict, lenient, off"),
    ("relay.yaml", "tokens.keys", [], "tokens.keys: is not text; expected: a path, relative to the file that names it"),
    (
        "relay.yaml",
        "ledger.customer_keys.0.kid",
        "k" * 65,
        "ledger.customer_keys[0].kid: is not valid; expected: 1 to 64 of 0-9A-Za-z._-",
    ),
    (
        "relay.yaml",
        "ledger.customer_keys",
        [{"kid": "a", "key": "env:X"}, {"kid": "a", "key": "env:Y"}],
        "ledger.customer_keys[1].kid: is a duplicate; expected: another kid for each key",
    ),
    (
        "relay.yaml",
        "ledger.customer_keys.0.key",
        "c2VjcmV0",
        "ledger.customer_keys[0].key: is not valid; expected: a reference, file:PATH or env:NAME, not the secret",
    ),
    (
        "relay.yaml",
        "ledger.url",
        "postgresql://relay:secret@db/ledger",
        "ledger.url: is not valid; expected: sqlite:PATH, postgresql://HOST/DATABASE, or file:PATH or env:NAME",
    ),
    (
        "relay.yaml",
        "certifiers",
        [{"ca_code": "ZZCERT0001", "name": "One", "kind": "both"}],
        "certifiers[0].kind: is not one of the choices; expected: one of identity, signature",
    ),
    ("relay.yaml", "reload.watch_s", "soon", "reload.watch_s: is not a number; expected: a number from 0 to 3600"),
    (
        "relay.yaml",
        "admin.prot",
        1,
        "admin.prot: is unknown (did you mean port?); expected: one of address, port",
    ),
    (
        "relay.yaml",
        "admin.body_bytes",
        1,
        "admin.body_bytes: is unknown (did you mean gateway.limits.body_bytes?); expected: one of address, port",
    ),
    ("relay.yaml", "admin.zzzzzz", 1, "admin.zzzzzz: is unknown; expected: one of address, port"),
    (
        "providers/bank.yaml",
        "base_urls",
        [],
        "base_urls: is missing, but speaks is standard; expected: 1 to 16 URLs of the institution",
    ),
    (
        "providers/bank.yaml",
        "base_urls",
        ["http://bank.example"],
        "base_urls[0]: does not match link: tls; expected: a URL that begins with https://",
    ),
    (
        "providers/bank.yaml",
        "base_urls",
        ["https://127.1"],
        "base_urls[0]: is not valid; expected: https://host[:port][/path], or http:// on a leased line",
    ),
    (
        "providers/bank.yaml",
        "ca",
        None,
        "ca: is missing, but link is tls; expected: the CA that signed the institution's certificate",
    ),
    (
        "providers/bank.yaml",
        "certificate",
        "a.pem",
        "private_key: is missing, but certificate is set; expected: both or neither",
    ),
    (
        "providers/bank.yaml",
        "private_key",
        "env:X",
        "certificate: is missing, but private_key is set; expected: both or neither",
    ),
    ("providers/bank.yaml", "min_version", "v2", "min_version: is above version v1; expected: v1 to v1"),
    ("providers/bank.yaml", "version", "1", "version: is not valid; expected: v and a number, for example v1"),
    (
        "providers/bank.yaml",
        "industry",
        "banking",
        "industry: is not one of the choices; expected: one of bank, card, invest, insu, efin, capital",
    ),
    (
        "providers/bank.yaml",
        "apis.left_out",
        ["ba1"],
        "apis.left_out[0]: is not valid; expected: two capital letters and two digits, for example BA01",
    ),
    (
        "providers/bank.yaml",
        "scheduled_slots",
        ["1-7"],
        "scheduled_slots[0]: is not valid; expected: hhmm:hhmm in quotes, for example 0100:0700 or 2200:0400",
    ),
    (
        "providers/bank.yaml",
        "rate",
        {"burst": 5},
        "rate.per_second: is missing; expected: a number above 0 and at most 1000000",
    ),
    (
        "directory.yaml",
        "operators.1.org_code",
        "ZOPA000001",
        "operators[1].org_code: is a duplicate: ZOPA000001; expected: each org_code once",
    ),
    (
        "directory.yaml",
        "operators.1.services.0.client_id",
        "one1",
        "operators[1].services[0].client_id: is a duplicate: one1; expected: each client_id once",
    ),
    (
        "directory.yaml",
        "operators.0.services.0.client_id",
        "x" * 51,
        "operators[0].services[0].client_id: is not valid; expected: 1 to 50 letters or digits, in quotes",
    ),
    (
        "directory.yaml",
        "operators.0.serial_num",
        "---",
        "operators[0].serial_num: is not valid; expected: letters and digits, hyphens allowed, in quotes, at most 20 ",
    ),
    (
        "directory.yaml",
        "operators.0.addresses",
        [],
        "operators[0].addresses: has too few entries; expected: a list of at least 1 entries",
    ),
]


@pytest.mark.parametrize(("file", "key", "value", "line"), BAD, ids=[f"{row[1]}={row[2]!r:.12}" for row in BAD])
def test_an_invalid_value_is_reported_with_its_key(folder, file, key, value, line):
    folder.put(file, key, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(folder.path, {})
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{folder.root}/{file}: {line}")


@pytest.mark.parametrize("number", [".nan", ".inf", "1e400", "9" * 30])
@pytest.mark.parametrize("key", ["watch_s", "queue"])
def test_nan_infinity_and_huge_numbers_are_refused(folder, key, number):
    section = {"watch_s": "reload", "queue": "access_log"}[key]
    folder.write("relay.yaml", folder.path.read_text() + f"{section}: {{{key}: {number}}}\n")
    assert get_keys(folder) == [f"{section}.{key}"]


def test_an_invalid_entry_does_not_make_its_list_too_short(folder):
    folder.put("relay.yaml", "gateway.listeners.0.port", -1)
    assert get_keys(folder) == ["gateway.listeners[0].port"]


@pytest.mark.parametrize("model", [Settings, Provider, Directory])
def test_every_key_has_words_for_what_is_allowed(model):
    texts = [describe_allowed(get_schema_node(model, key_path)) for key_path in find_leaves(model)]
    assert all(texts)
    assert not [text for text in texts if "^" in text]


@pytest.mark.parametrize("model", [TelegramLink, TelegramMessage])
def test_sections_within_sections_of_their_kind_have_an_end(model):
    key_paths = list(find_leaves(model))
    assert len(key_paths) > 10
    assert max(len(key_path) for key_path in key_paths) < 8


def test_keys_with_free_names_have_the_schema_of_their_values():
    node = get_schema_node(TelegramMessage, ("answer", "trans_list", "each", "trans_amt", "field"))
    assert node["description"] == "a name of letters (Hangul too), digits, _ and -"


def test_an_unknown_key_has_no_schema():
    assert get_schema_node(Settings, ("gateway", "nothing")) is None
    assert get_schema_node(Settings, ("nothing", 0, "more")) is None


def test_without_a_similar_name_the_nearest_is_empty():
    assert find_nearest("zzz", ["address"]) == ""
