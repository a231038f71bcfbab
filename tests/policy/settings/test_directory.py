"""Files of institutions and the directory of operators: allowed values, and keys that depend on others."""

import pytest
from pydantic import ValidationError

from relay.policy.settings.directory import Directory, DirectoryOperator, LinkKind, Provider

BANK = {"org_code": "ZBAA000001", "name": "Bank", "industry": "bank", "base_urls": ["https://b.example"], "ca": "a"}
SERVICE = {"client_id": "one", "name": "One"}
OPERATOR = {"org_code": "ZOPA000001", "name": "One", "serial_num": "1-2", "addresses": ["192.0.2.1"]}


HOURS, SUNDAY, LEAP_DAY = {"start": "0200", "end": "0400"}, {"day": "sun"}, {"date": "20280229"}


def test_maintenance_is_on_a_weekday_or_a_date():
    provider = Provider.model_validate(
        {**BANK, "maintenance": [HOURS | SUNDAY, HOURS | LEAP_DAY | {"note": "new core"}]}
    )
    assert [(window.day, window.date) for window in provider.maintenance] == [("sun", None), (None, "20280229")]


def test_five_keys_are_enough_for_an_institution():
    provider = Provider.model_validate(BANK)
    assert (provider.version, provider.link, provider.rate) == ("v1", LinkKind.TLS, None)


def test_a_leased_line_uses_plain_http_without_ca():
    keys = {"link": "leased_line", "base_urls": ["http://10.0.0.1"], "ca": None}
    assert Provider.model_validate({**BANK, **keys}).link is LinkKind.LEASED_LINE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"link": "leased_line"},
            r"base_urls\[0\]: does not match link: leased_line; expected: .* http://",
        ),
        (
            {"base_urls": ["http://b.example"]},
            r"base_urls\[0\]: does not match link: tls; expected: .* https://",
        ),
        ({"ca": None}, "ca: is missing"),
        ({"certificate": "a"}, "private_key: is missing, but certificate is set"),
        ({"private_key": "env:K"}, "certificate: is missing, but private_key is set"),
        ({"min_version": "v2"}, "min_version: is above version v1"),
        ({"maintenance": [HOURS]}, r"maintenance\[0\]: has neither day nor date; expected: either day or date"),
        ({"maintenance": [HOURS | SUNDAY | LEAP_DAY]}, r"maintenance\[0\]: has both day and date"),
        (
            {"maintenance": [HOURS | SUNDAY, HOURS | SUNDAY | {"end": "0200"}]},
            r"maintenance\[1\].end: is equal",
        ),
        ({"maintenance": [HOURS | {"date": "20270229"}]}, r"maintenance\[0\].date: is not a calendar date"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(change, words):
    with pytest.raises(ValidationError, match=words):
        Provider.model_validate({**BANK, **change})


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"org_code": "bank"}, "org_code"),
        ({"name": ""}, "name"),
        ({"industry": "bakery"}, "industry"),
        ({"base_urls": ["https://b.example"] * 17}, "base_urls"),
        ({"version": "1"}, "version"),
        ({"apis": {"left_out": ["ba01"]}}, "apis.left_out.0"),
        ({"apis": {"leftout": []}}, "apis.leftout"),
        ({"checking": "none"}, "checking"),
        ({"concurrency": 0}, "concurrency"),
        ({"queue": -1}, "queue"),
        ({"scheduled_slots": ["0100:0200"] * 4}, "scheduled_slots"),
        ({"maintenance": [HOURS | {"day": "weekend"}]}, "maintenance.0.day"),
        ({"maintenance": [SUNDAY | {"start": "2400", "end": "0400"}]}, "maintenance.0.start"),
        ({"maintenance": [HOURS | SUNDAY] * 65}, "maintenance"),
        ({"link": "carrier_pigeon"}, "link"),
        ({"private_key": "secret"}, "private_key"),
        ({"timeout": {}}, "timeout"),
    ],
)
def test_an_invalid_value_of_an_institution_is_named_by_its_key(change, key):
    with pytest.raises(ValidationError) as caught:
        Provider.model_validate({**BANK, **change})
    assert ".".join(map(str, caught.value.errors()[0]["loc"])) == key


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"addresses": []}, "addresses"),
        ({"addresses": ["one.example"]}, "addresses.0"),
        ({"services": []}, "services"),
        ({"services": [{**SERVICE, "callbacks": ["a"] * 5}]}, "services.0.callbacks"),
        ({"services": [{**SERVICE, "client_secret": "a"}]}, "services.0.client_secret"),
        ({"serial_num": "-"}, "serial_num"),
    ],
)
def test_an_invalid_value_of_an_operator_is_named_by_its_key(change, key):
    with pytest.raises(ValidationError) as caught:
        DirectoryOperator.model_validate({**OPERATOR, "services": [SERVICE], **change})
    assert ".".join(map(str, caught.value.errors()[0]["loc"])) == key


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"services": [{"client_id": "two", "name": "Two"}]}, r"operators\[1\].org_code: is a duplicate: ZOPA000001"),
        ({"org_code": "ZOPB000001"}, r"operators\[1\].services\[0\].client_id: is a duplicate: one"),
    ],
)
def test_duplicate_codes_are_refused(change, words):
    first = {**OPERATOR, "services": [SERVICE]}
    with pytest.raises(ValidationError, match=words):
        Directory.model_validate({"operators": [first, {**first, **change}]})


CORE = {"addresses": ["10.0.0.5:9100"], "lines": 3}
OWN_JSON = {"speaks": "json", "json_apis": "files"}
ADAPTED = {"speaks": "telegram", "link": "leased_line", "base_urls": [], "ca": None, "core": CORE}


def test_an_institution_that_speaks_telegrams_needs_the_adapter():
    provider = Provider.model_validate({**BANK, **ADAPTED, "telegrams": "layouts"})
    assert (provider.needs_adapter, provider.core.capacity, provider.telegrams) == (True, 3, "layouts")
    assert not Provider.model_validate(BANK).needs_adapter


def test_an_institution_that_speaks_json_has_base_urls():
    provider = Provider.model_validate({**BANK, **OWN_JSON})
    assert (provider.needs_adapter, provider.core, provider.json_apis) == (True, None, "files")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base_urls": []}, "base_urls: is missing, but speaks is standard"),
        ({"core": CORE}, "core: is set, but speaks is standard"),
        ({"telegrams": "a"}, "telegrams: is set, but speaks is standard"),
        (ADAPTED | {"core": None}, "core: is missing, but speaks is telegram; expected: a section with the keys addr"),
        (ADAPTED | {"base_urls": ["http://a.example"]}, "base_urls: is set, but speaks is telegram"),
        (
            ADAPTED | {"link": "tls", "ca": "a", "core": {"listen": "0.0.0.0:1", "peers": ["10.0.0.0/8"]}},
            "certificate: is missing, but link is tls and the core opens the lines",
        ),
        ({"json_apis": "a"}, "json_apis: is set, but speaks is standard; expected: speaks: json, or no such key"),
        (ADAPTED | {"json_apis": "a"}, "json_apis: is set, but speaks is telegram"),
        (OWN_JSON | {"base_urls": []}, "base_urls: is missing, but speaks is json"),
        (OWN_JSON | {"core": CORE}, "core: is set, but speaks is json"),
        (OWN_JSON | {"authentication": "hosted"}, "authentication: is hosted, but speaks is json"),
        (ADAPTED | {"authentication": "hosted"}, "authentication: is hosted, but speaks is telegram"),
    ],
)
def test_keys_belong_to_what_the_institution_speaks(change, words):
    with pytest.raises(ValidationError, match=words):
        Provider.model_validate({**BANK, **change})
