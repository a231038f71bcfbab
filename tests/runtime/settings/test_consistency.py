"""What no single file can know is checked between them."""

import pytest

from relay.runtime.settings.loading import ConfigProblems, load


def told(folder):
    try:
        load(folder.path, {})
    except ConfigProblems as caught:
        return [str(problem).removeprefix(f"{folder.root}/") for problem in caught.problems]
    return []


def leased(folder):
    """A second listener, for a leased line."""
    folder.put("relay.yaml", "gateway.listeners", [{"port": 1}, {"port": 2, "tls": False, "client_certificate": False}])


def test_an_institution_stands_in_one_file(folder):
    folder.write("providers/twin.yaml", (folder.root / "providers/bank.yaml").read_text())
    assert told(folder) == [
        f"providers/twin.yaml: org_code: stands in {folder.root}/providers/bank.yaml too, one file for each institution"
    ]


def test_the_relay_is_no_institution(folder):
    folder.put("providers/bank.yaml", "org_code", "ZZRELAY001")
    assert told(folder) == ["providers/bank.yaml: org_code: is the relay's own, the institution's own 기관코드"]


@pytest.mark.parametrize(
    ("industry", "key", "codes", "line"),
    [
        ("bank", "left_out", ["BA01", "BA21"], None),
        ("bank", "turned_on", ["PP01"], None),
        ("card", "left_out", ["PP01"], None),
        ("bank", "left_out", ["CM01"], "apis.left_out: holds CM01, which every institution answers, of BA01 "),
        ("bank", "left_out", ["TC01"], "apis.left_out: holds TC01, which is no API of industry bank, of BA01 "),
        ("bank", "left_out", ["PP01"], "apis.left_out: holds PP01, which is no API of industry bank, of BA01 "),
        ("bank", "turned_on", ["BA01"], "apis.turned_on: holds BA01, which is on anyway, of PP01 PP02 PP03 PP04"),
        ("bank", "turned_on", ["TC01"], "apis.turned_on: holds TC01, which is no API of industry bank, of PP01 "),
        ("telecom", "turned_on", ["PP01"], "apis.turned_on: holds PP01, which is no API of industry telecom, nothing"),
    ],
)
def test_apis_left_out_or_turned_on_are_those_of_the_industry(folder, industry, key, codes, line):
    folder.put("providers/bank.yaml", "industry", industry)
    folder.put("providers/bank.yaml", "apis", {key: codes})
    found = told(folder)
    assert len(found) == (1 if line else 0)
    assert all(each.startswith(f"providers/bank.yaml: {line}") for each in found)


@pytest.mark.parametrize("minimum", [None, "v1", "v2"])
def test_a_version_is_one_that_the_catalogue_holds(folder, minimum):
    folder.put("providers/bank.yaml", "version", "v2")
    if minimum is not None:
        folder.put("providers/bank.yaml", "min_version", minimum)
    assert told(folder) == ["providers/bank.yaml: version: is v2, whose APIs the catalogue does not hold, v1"]


@pytest.mark.parametrize(
    ("slots", "line"),
    [
        ([], None),
        (["0100:0700"], None),
        (["2200:0400"], None),
        (["0000:2400"], None),
        (["0000:0200", "0400:0600", "2200:2400"], None),
        (["0100:0630"], "scheduled_slots: are open 5.5 hours a day, at least 6 hours (규격 3.3.3)"),
        (["0100:0500", "0200:0600"], "scheduled_slots: are open 5 hours a day, at least 6 hours (규격 3.3.3)"),
        (["0115:0900"], "scheduled_slots[0]: does not begin and end on a half hour, minutes 00 or 30"),
        (["0000:0800", "0900:0900"], "scheduled_slots[1]: is empty, a start before the end, "),
        (["2400:0800"], "scheduled_slots[0]: is empty, a start before the end, "),
    ],
)
def test_slots_are_half_hours_and_six_hours_a_day(folder, slots, line):
    folder.put("providers/bank.yaml", "scheduled_slots", slots)
    found = told(folder)
    assert len(found) == (1 if line else 0)
    assert all(each.startswith(f"providers/bank.yaml: {line}") for each in found)


def test_four_slots_are_too_many(folder):
    folder.put("providers/bank.yaml", "scheduled_slots", ["0000:0700"] * 4)
    assert told(folder)[0].startswith("providers/bank.yaml: scheduled_slots: has too many entries, a list of 0 to 3 ")


@pytest.mark.parametrize(
    ("callback", "good"),
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
def test_callbacks_are_https_and_short(folder, callback, good):
    folder.put("directory.yaml", "operators.0.services.0.callbacks", [callback])
    line = "operators[0].services[0].callbacks[0]: does not fit, https://host/path, at most 100 bytes"
    assert told(folder) == ([] if good else [f"directory.yaml: {line}"])


SHARED = (
    "directory.yaml: operators[1].addresses: are shared with ZOPA000001, but a listener takes calls without"
    " client_certificate, addresses of its own, or client_certificate: true on every listener"
)


@pytest.mark.parametrize("addresses", [["192.0.2.10"], ["192.0.2.0/24"], ["2001:db8::/32", "192.0.2.10/32"]])
def test_on_a_leased_line_the_address_must_tell_who_calls(folder, addresses):
    folder.put("directory.yaml", "operators.1.addresses", addresses)
    assert told(folder) == []
    leased(folder)
    assert told(folder) == [SHARED]


def test_codes_of_one_company_may_share_addresses(folder):
    leased(folder)
    folder.put("directory.yaml", "operators.1.addresses", ["192.0.2.10"])
    folder.put("directory.yaml", "operators.1.serial_num", "1234567890")
    assert told(folder) == []


@pytest.mark.parametrize(
    ("listeners", "key"),
    [
        ([{"port": 1}, {"port": 1}], "gateway.listeners[1].port: is the port of gateway.listeners[0].port too"),
        ([{"port": 1}, {"port": 1, "address": "10.0.0.1"}], "gateway.listeners[1].port: is the port of "),
        ([{"port": 9090}], "admin.port: is the port of gateway.listeners[0].port too"),
        ([{"port": 1, "address": "10.0.0.2"}, {"port": 1, "address": "10.0.0.1"}], None),
        ([{"port": 0}, {"port": 0}], None),
    ],
)
def test_one_port_has_one_owner(folder, listeners, key):
    folder.put("relay.yaml", "gateway.listeners", listeners)
    found = told(folder)
    assert len(found) == (1 if key else 0)
    assert all(each.startswith(f"relay.yaml: {key}") for each in found)


@pytest.mark.parametrize(("file", "key"), [("relay.yaml", "upstream.timeouts"), ("providers/bank.yaml", "timeouts")])
def test_a_part_of_the_time_is_not_longer_than_the_whole(folder, file, key):
    folder.put(file, key, {"first_byte_s": 20, "total_s": 16})
    assert told(folder) == [f"{file}: {key}.first_byte_s: is longer than total_s, at most 16"]


def test_a_shorter_whole_alone_is_no_problem(folder):
    folder.put("providers/bank.yaml", "timeouts", {"total_s": 3})
    assert told(folder) == []


HOSTED = {"authentication": "hosted"}
REDIRECT = {"authentication": "redirect", "redirect": {"url": "https://b.example/page", "public_key": "b.pub"}}
APP = {
    "authentication": "app",
    "app": dict.fromkeys(("app_scheme_ios", "install_url_ios", "app_scheme_android", "install_url_android"), "bank"),
}
PAGES = {"url": "https://pages.example"}


@pytest.mark.parametrize(("way", "on_pages"), [({}, False), (HOSTED, True), (REDIRECT, True), (APP, False)])
def test_customers_are_led_over_pages_that_are_there(folder, way, on_pages):
    for key, value in way.items():
        folder.put("providers/bank.yaml", key, value)
    wrong = f"is {way.get('authentication')}, but {folder.root}/relay.yaml has no authority.pages"
    line = f"providers/bank.yaml: authentication: {wrong}, authority.pages there, or app or none here"
    assert told(folder) == ([line] if on_pages else [])
    folder.put("relay.yaml", "authority.pages", PAGES)
    assert told(folder) == []


@pytest.mark.parametrize(
    ("pages", "line"),
    [
        ({"port": 8444}, None),
        ({"port": 0}, None),
        ({"port": 8443}, "is the port of gateway.listeners[0].port too"),
        ({"port": 9090}, "is the port of admin.port too"),
        ({"port": 9090, "address": "192.0.2.1"}, None),
    ],
)
def test_the_pages_listen_on_a_port_of_their_own(folder, pages, line):
    folder.put("relay.yaml", "authority.pages", PAGES | pages)
    wrong = f"relay.yaml: authority.pages.port: {line}, another port, or another address"
    assert told(folder) == ([wrong] if line else [])


@pytest.mark.parametrize(("path", "length"), [("/" + "a" * 99, None), ("/" + "a" * 100, 101), ("/" + "가" * 34, 103)])
def test_a_socket_has_a_short_path(folder, path, length):
    folder.put("relay.yaml", "authority.socket", path)
    line = f"relay.yaml: authority.socket: is a path of {length} bytes, at most 100 bytes with its folder"
    assert told(folder) == ([line] if length else [])


def test_a_certifier_stands_once(folder):
    def certifier(code):
        desk = {"base_url": "https://c.example", "client_id": "one", "client_secret": "env:S"}
        return {"ca_code": code, "name": "One", "kind": "signature", "signature": desk}

    folder.put("relay.yaml", "certifiers", [certifier("ZZCERT0001"), certifier("ZZCERT0002")])
    assert told(folder) == []
    folder.put("relay.yaml", "certifiers", [certifier("ZZCERT0001"), certifier("ZZCERT0001")])
    assert told(folder) == ["relay.yaml: certifiers[1].ca_code: stands twice: ZZCERT0001, each certifier once"]


@pytest.mark.parametrize(
    ("salt", "good"), [("A" * 22, True), ("A" * 11, True), ("A" * 12, True), ("A" * 13, False), ("A" * 85, False)]
)
def test_a_secrets_hash_is_whole(folder, salt, good):
    folder.put(
        "directory.yaml", "operators.0.services.0.client_secret_hash", f"$scrypt$ln=14,r=8,p=1${salt}${'A' * 43}"
    )
    key = "operators[0].services[0].client_secret_hash"
    line = f"directory.yaml: {key}: holds what is no base64, what `relay secret` prints, whole"
    assert told(folder) == ([] if good else [line])


OFFERS = {"client_id": "portalatrelay", "client_secret_hash": f"$scrypt$ln=14,r=8,p=1${'A' * 13}${'A' * 43}"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, None),
        ({"org_code": "ZZRELAY001"}, "org_code: is the relay's own, the portal's own 기관코드"),
        (
            {"base_url": "http://portal.example"},
            "base_url: would show our secret to everybody on the way, begins with https://",
        ),
        (
            {"offers": OFFERS},
            "offers.client_secret_hash: holds what is no base64, what `relay secret` prints, whole",
        ),
    ],
)
def test_the_portal_is_another_reached_over_tls(folder, changes, line):
    folder.portal(**changes)
    assert told(folder) == ([] if line is None else [f"relay.yaml: portal.{line}"])


@pytest.mark.parametrize(
    ("day", "line"),
    [
        ({"day": "sun", "start": "0200", "end": "0400"}, None),
        ({"date": "20280229", "start": "2330", "end": "0130"}, None),
        ({"start": "0200", "end": "0400"}, "maintenance[0]: has neither day nor date, one of them"),
        ({"date": "20270229", "start": "0200", "end": "0400"}, "maintenance[0].date: is no day of the calendar, "),
    ],
)
def test_what_is_wrong_with_a_day_of_maintenance_is_told_with_its_place(folder, day, line):
    folder.put("providers/bank.yaml", "maintenance", [day])
    found = told(folder)
    assert len(found) == (1 if line else 0)
    assert all(each.startswith(f"providers/bank.yaml: {line}") for each in found)


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("postgresql://host/db?sslmode=require&connect_timeout=3", None),
        ("postgresql://a:1,b:2/db?target_session_attrs=read-write&pgbouncer=true", None),
        ("postgresql://host/db?keepalives=1", "ledger.url: the ledger's URL holds keepalives, which is not known"),
        ("postgresql://host/db?sslmode=yes", "ledger.url: sslmode in the ledger's URL is not one of disable"),
    ],
)
def test_words_of_the_ledgers_url_are_known(folder, url, wrong):
    folder.put("relay.yaml", "ledger.url", url)
    found = told(folder)
    assert len(found) == (1 if wrong else 0)
    assert all(each.startswith(f"relay.yaml: {wrong}") for each in found)
