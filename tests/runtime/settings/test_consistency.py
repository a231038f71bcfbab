"""Checks between relay.yaml, the institutions' files and the directory."""

import pytest

from relay.runtime.settings.loading import SettingsError, load_settings


def get_problems(folder):
    try:
        load_settings(folder.path, {})
    except SettingsError as error:
        return [str(problem).removeprefix(f"{folder.root}/") for problem in error.problems]
    return []


def add_leased_line(folder):
    """Add a second listener, for a leased line."""
    folder.put("relay.yaml", "gateway.listeners", [{"port": 1}, {"port": 2, "tls": False, "client_certificate": False}])


def test_an_institution_has_one_file(folder):
    folder.write("providers/twin.yaml", (folder.root / "providers/bank.yaml").read_text())
    line = f"org_code: is also in {folder.root}/providers/bank.yaml; expected: one file for each institution"
    assert get_problems(folder) == [f"providers/twin.yaml: {line}"]


def test_the_org_code_of_the_relay_is_no_institutions(folder):
    folder.put("providers/bank.yaml", "org_code", "ZZRELAY001")
    line = "org_code: is the org_code of the relay; expected: the 기관코드 of the institution"
    assert get_problems(folder) == [f"providers/bank.yaml: {line}"]


@pytest.mark.parametrize(
    ("industry", "key", "codes", "line"),
    [
        ("bank", "left_out", ["BA01", "BA21"], None),
        ("bank", "turned_on", ["PP01"], None),
        ("card", "left_out", ["PP01"], None),
        (
            "bank",
            "left_out",
            ["CM01"],
            "apis.left_out: contains CM01, which every institution offers; expected: codes from BA01 ",
        ),
        (
            "bank",
            "left_out",
            ["TC01"],
            "apis.left_out: contains TC01, which is not an API of industry bank; expected: codes from BA01 ",
        ),
        (
            "bank",
            "left_out",
            ["PP01"],
            "apis.left_out: contains PP01, which is not an API of industry bank; expected: codes from BA01 ",
        ),
        (
            "bank",
            "turned_on",
            ["BA01"],
            "apis.turned_on: contains BA01, which is always on; expected: codes from PP01 PP02 PP03 PP04",
        ),
        (
            "bank",
            "turned_on",
            ["TC01"],
            "apis.turned_on: contains TC01, which is not an API of industry bank; expected: codes from PP01 ",
        ),
        (
            "telecom",
            "turned_on",
            ["PP01"],
            "apis.turned_on: contains PP01, which is not an API of industry telecom; expected: no codes",
        ),
    ],
)
def test_apis_left_out_or_turned_on_belong_to_the_industry(folder, industry, key, codes, line):
    folder.put("providers/bank.yaml", "industry", industry)
    folder.put("providers/bank.yaml", "apis", {key: codes})
    problems = get_problems(folder)
    assert len(problems) == (1 if line else 0)
    assert all(problem.startswith(f"providers/bank.yaml: {line}") for problem in problems)


@pytest.mark.parametrize("minimum", [None, "v1", "v2"])
def test_a_version_is_one_that_the_catalogue_holds(folder, minimum):
    folder.put("providers/bank.yaml", "version", "v2")
    if minimum is not None:
        folder.put("providers/bank.yaml", "min_version", minimum)
    line = "version: is v2, but the catalogue has no APIs of that version; expected: v1"
    assert get_problems(folder) == [f"providers/bank.yaml: {line}"]


@pytest.mark.parametrize(
    ("slots", "line"),
    [
        ([], None),
        (["0100:0700"], None),
        (["2200:0400"], None),
        (["0000:2400"], None),
        (["0000:0200", "0400:0600", "2200:2400"], None),
        (["0100:0630"], "scheduled_slots: cover 5.5 hours a day; expected: at least 6 hours (규격 3.3.3)"),
        (["0100:0500", "0200:0600"], "scheduled_slots: cover 5 hours a day; expected: at least 6 hours (규격 3.3.3)"),
        (["0115:0900"], "scheduled_slots[0]: does not begin and end on a half hour; expected: minutes 00 or 30"),
        (["0000:0800", "0900:0900"], "scheduled_slots[1]: is empty; expected: a start before the end, "),
        (["2400:0800"], "scheduled_slots[0]: is empty; expected: a start before the end, "),
    ],
)
def test_slots_are_half_hours_and_cover_six_hours_a_day(folder, slots, line):
    folder.put("providers/bank.yaml", "scheduled_slots", slots)
    problems = get_problems(folder)
    assert len(problems) == (1 if line else 0)
    assert all(problem.startswith(f"providers/bank.yaml: {line}") for problem in problems)


def test_four_slots_are_too_many(folder):
    folder.put("providers/bank.yaml", "scheduled_slots", ["0000:0700"] * 4)
    line = "scheduled_slots: has too many entries; expected: a list of 0 to 3 "
    assert get_problems(folder)[0].startswith(f"providers/bank.yaml: {line}")


@pytest.mark.parametrize(
    ("callback", "is_valid"),
    [
        ("https://a.example/cb?x=1", True),
        ("https://a.example/" + "b" * 82, True),
        ("https://a.example/" + "b" * 83, False),
        ("https://a.example/" + "가" * 28, False),
        ("http://a.example/cb", False),
        ("https:///cb", False),
        ("https://[cb", False),
        ("https://a.example/#x", False),
    ],
)
def test_callbacks_are_https_and_short(folder, callback, is_valid):
    folder.put("directory.yaml", "operators.0.services.0.callbacks", [callback])
    wrong = "is not a valid callback URL; expected: https://host/path, at most 100 bytes"
    line = f"directory.yaml: operators[0].services[0].callbacks[0]: {wrong}"
    assert get_problems(folder) == ([] if is_valid else [line])


SHARED = (
    "directory.yaml: operators[1].addresses: are shared with ZOPA000001, but a listener has client_certificate: false; "
    "expected: addresses of its own, or client_certificate: true on every listener"
)


@pytest.mark.parametrize("addresses", [["192.0.2.10"], ["192.0.2.0/24"], ["2001:db8::/32", "192.0.2.10/32"]])
def test_on_a_leased_line_operators_must_differ_by_address(folder, addresses):
    folder.put("directory.yaml", "operators.1.addresses", addresses)
    assert get_problems(folder) == []
    add_leased_line(folder)
    assert get_problems(folder) == [SHARED]


def test_operators_of_one_company_may_share_addresses(folder):
    add_leased_line(folder)
    folder.put("directory.yaml", "operators.1.addresses", ["192.0.2.10"])
    folder.put("directory.yaml", "operators.1.serial_num", "1234567890")
    assert get_problems(folder) == []


@pytest.mark.parametrize(
    ("listeners", "key"),
    [
        ([{"port": 1}, {"port": 1}], "gateway.listeners[1].port: is also the port of gateway.listeners[0].port"),
        ([{"port": 1}, {"port": 1, "address": "10.0.0.1"}], "gateway.listeners[1].port: is also the port of "),
        ([{"port": 9090}], "admin.port: is also the port of gateway.listeners[0].port"),
        ([{"port": 1, "address": "10.0.0.2"}, {"port": 1, "address": "10.0.0.1"}], None),
        ([{"port": 0}, {"port": 0}], None),
    ],
)
def test_two_listeners_cannot_share_a_port(folder, listeners, key):
    folder.put("relay.yaml", "gateway.listeners", listeners)
    problems = get_problems(folder)
    assert len(problems) == (1 if key else 0)
    assert all(problem.startswith(f"relay.yaml: {key}") for problem in problems)


@pytest.mark.parametrize(("file", "key"), [("relay.yaml", "upstream.timeouts"), ("providers/bank.yaml", "timeouts")])
def test_a_partial_timeout_is_at_most_the_total(folder, file, key):
    folder.put(file, key, {"first_byte_s": 20, "total_s": 16})
    assert get_problems(folder) == [f"{file}: {key}.first_byte_s: is longer than total_s; expected: at most 16"]


def test_a_shorter_total_alone_is_no_problem(folder):
    folder.put("providers/bank.yaml", "timeouts", {"total_s": 3})
    assert get_problems(folder) == []


HOSTED = {"authentication": "hosted"}
REDIRECT = {"authentication": "redirect", "redirect": {"url": "https://b.example/page", "public_key": "b.pub"}}
APP = {
    "authentication": "app",
    "app": dict.fromkeys(("app_scheme_ios", "install_url_ios", "app_scheme_android", "install_url_android"), "bank"),
}
PAGES = {"url": "https://pages.example"}


@pytest.mark.parametrize(("keys", "needs_pages"), [({}, False), (HOSTED, True), (REDIRECT, True), (APP, False)])
def test_hosted_and_redirect_need_authority_pages(folder, keys, needs_pages):
    for key, value in keys.items():
        folder.put("providers/bank.yaml", key, value)
    wrong = f"is {keys.get('authentication')}, but {folder.root}/relay.yaml has no authority.pages"
    line = f"providers/bank.yaml: authentication: {wrong}; expected: app or none, or authority.pages in that file"
    assert get_problems(folder) == ([line] if needs_pages else [])
    folder.put("relay.yaml", "authority.pages", PAGES)
    assert get_problems(folder) == []


@pytest.mark.parametrize(
    ("pages", "line"),
    [
        ({"port": 8444}, None),
        ({"port": 0}, None),
        ({"port": 8443}, "is also the port of gateway.listeners[0].port"),
        ({"port": 9090}, "is also the port of admin.port"),
        ({"port": 9090, "address": "192.0.2.1"}, None),
    ],
)
def test_the_pages_cannot_share_a_port(folder, pages, line):
    folder.put("relay.yaml", "authority.pages", PAGES | pages)
    wrong = f"relay.yaml: authority.pages.port: {line}; expected: another port or another address"
    assert get_problems(folder) == ([wrong] if line else [])


@pytest.mark.parametrize(("path", "length"), [("/" + "a" * 99, None), ("/" + "a" * 100, 101), ("/" + "가" * 34, 103)])
def test_the_path_of_the_socket_is_short(folder, path, length):
    folder.put("relay.yaml", "authority.socket", path)
    line = f"relay.yaml: authority.socket: is a path of {length} bytes; expected: at most 100 bytes, folder included"
    assert get_problems(folder) == ([line] if length else [])


def test_a_duplicate_certifier_is_refused(folder):
    def certifier(code):
        service = {"base_url": "https://c.example", "client_id": "one", "client_secret": "env:S"}
        return {"ca_code": code, "name": "One", "kind": "signature", "signature": service}

    folder.put("relay.yaml", "certifiers", [certifier("ZZCERT0001"), certifier("ZZCERT0002")])
    assert get_problems(folder) == []
    folder.put("relay.yaml", "certifiers", [certifier("ZZCERT0001"), certifier("ZZCERT0001")])
    line = "certifiers[1].ca_code: is a duplicate: ZZCERT0001; expected: each certifier once"
    assert get_problems(folder) == [f"relay.yaml: {line}"]


@pytest.mark.parametrize(
    ("salt", "is_valid"), [("A" * 22, True), ("A" * 11, True), ("A" * 12, True), ("A" * 13, False), ("A" * 85, False)]
)
def test_a_secret_hash_is_valid_base64(folder, salt, is_valid):
    folder.put(
        "directory.yaml", "operators.0.services.0.client_secret_hash", f"$scrypt$ln=14,r=8,p=1${salt}${'A' * 43}"
    )
    key = "operators[0].services[0].client_secret_hash"
    line = f"directory.yaml: {key}: contains invalid base64; expected: the whole output of `relay secret`"
    assert get_problems(folder) == ([] if is_valid else [line])


OFFERS = {"client_id": "portalatrelay", "client_secret_hash": f"$scrypt$ln=14,r=8,p=1${'A' * 13}${'A' * 43}"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, None),
        ({"org_code": "ZZRELAY001"}, "org_code: is the org_code of the relay; expected: the 기관코드 of the portal"),
        (
            {"base_url": "http://portal.example"},
            "base_url: sends the client secret unencrypted; expected: a URL that begins with https://",
        ),
        (
            {"offers": OFFERS},
            "offers.client_secret_hash: contains invalid base64; expected: the whole output of `relay secret`",
        ),
    ],
)
def test_the_portal_is_not_the_relay_and_is_reached_over_tls(folder, changes, line):
    folder.portal(**changes)
    assert get_problems(folder) == ([] if line is None else [f"relay.yaml: portal.{line}"])


@pytest.mark.parametrize(
    ("window", "line"),
    [
        ({"day": "sun", "start": "0200", "end": "0400"}, None),
        ({"date": "20280229", "start": "2330", "end": "0130"}, None),
        ({"start": "0200", "end": "0400"}, "maintenance[0]: has neither day nor date; expected: either day or date"),
        (
            {"date": "20270229", "start": "0200", "end": "0400"},
            "maintenance[0].date: is not a calendar date; expected: ",
        ),
    ],
)
def test_an_invalid_maintenance_window_is_named_by_its_key(folder, window, line):
    folder.put("providers/bank.yaml", "maintenance", [window])
    problems = get_problems(folder)
    assert len(problems) == (1 if line else 0)
    assert all(problem.startswith(f"providers/bank.yaml: {line}") for problem in problems)


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("postgresql://host/db?sslmode=require&connect_timeout=3", None),
        ("postgresql://a:1,b:2/db?target_session_attrs=read-write&pgbouncer=true", None),
        ("postgresql://host/db?keepalives=1", "ledger.url: the ledger's URL holds keepalives, which is not known"),
        ("postgresql://host/db?sslmode=yes", "ledger.url: sslmode in the ledger's URL is not one of disable"),
    ],
)
def test_unknown_libpq_parameters_are_refused(folder, url, wrong):
    folder.put("relay.yaml", "ledger.url", url)
    problems = get_problems(folder)
    assert len(problems) == (1 if wrong else 0)
    assert all(problem.startswith(f"relay.yaml: {wrong}") for problem in problems)


@pytest.mark.parametrize("key", ["quotas.redis", "jobs.redis"])
@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("redis://host:6379/0", None),
        ("env:REDIS_URL", None),
        ("redis://host:99999/0", "is no URL of a Redis: Port out of range"),
        ("redis://host/0?foo=1", "is no URL of a Redis: the query of the URL has an unknown option"),
        ("redis+sentinel://host:x/main", "is no URL of a Redis"),
    ],
)
def test_an_unusable_url_of_redis_is_refused(folder, key, url, wrong):
    folder.put("relay.yaml", key, url)
    problems = get_problems(folder)
    assert len(problems) == (1 if wrong else 0)
    assert all(problem.startswith(f"relay.yaml: {key}: {wrong}") for problem in problems)


def test_the_sockets_of_gateway_and_authority_differ(folder):
    folder.put("relay.yaml", "authority.socket", "gateway.sock")
    assert get_problems(folder) == []
    folder.put("relay.yaml", "gateway.workers", 2)
    assert get_problems(folder) == ["relay.yaml: gateway.socket: is also authority.socket; expected: another path"]
    folder.put("relay.yaml", "gateway.socket", "/" + "x" * 100)
    line = "relay.yaml: gateway.socket: is a path of 101 bytes; expected: at most 100 bytes, folder included"
    assert get_problems(folder) == [line]
