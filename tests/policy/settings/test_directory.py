"""Providers and operators alone: what one key needs of another."""

import pytest
from pydantic import ValidationError

from relay.policy.settings.directory import Directory, DirectoryOperator, Link, Provider

BANK = {"org_code": "ZBAA000001", "name": "Bank", "industry": "bank", "base_urls": ["https://b.example"], "ca": "a"}
SERVICE = {"client_id": "one", "name": "One"}
OPERATOR = {"org_code": "ZOPA000001", "name": "One", "serial_num": "1-2", "addresses": ["192.0.2.1"]}


HOURS, SUNDAY, LEAP_DAY = {"start": "0200", "end": "0400"}, {"day": "sun"}, {"date": "20280229"}


def test_maintenance_is_weekly_or_once():
    provider = Provider.model_validate(
        {**BANK, "maintenance": [HOURS | SUNDAY, HOURS | LEAP_DAY | {"note": "new core"}]}
    )
    assert [(one.day, one.date) for one in provider.maintenance] == [("sun", None), (None, "20280229")]


def test_five_lines_are_a_provider():
    provider = Provider.model_validate(BANK)
    assert (provider.version, provider.link, provider.rate) == ("v1", Link.TLS, None)


def test_a_leased_line_is_plain_http_without_ca():
    line = {"link": "leased_line", "base_urls": ["http://10.0.0.1"], "ca": None}
    assert Provider.model_validate({**BANK, **line}).link is Link.LEASED_LINE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"link": "leased_line"}, r"base_urls\[0\]: does not fit link: leased_line, begins with http://"),
        ({"base_urls": ["http://b.example"]}, r"base_urls\[0\]: does not fit link: tls, begins with https://"),
        ({"ca": None}, "ca: is missing"),
        ({"certificate": "a"}, "private_key: is missing beside certificate"),
        ({"private_key": "env:K"}, "certificate: is missing beside private_key"),
        ({"min_version": "v2"}, "min_version: is above version v1"),
        ({"maintenance": [HOURS]}, r"maintenance\[0\]: has neither day nor date, one of them"),
        ({"maintenance": [HOURS | SUNDAY | LEAP_DAY]}, r"maintenance\[0\]: has both day and date"),
        ({"maintenance": [HOURS | SUNDAY, HOURS | SUNDAY | {"end": "0200"}]}, r"maintenance\[1\].end: is its start"),
        ({"maintenance": [HOURS | {"date": "20270229"}]}, r"maintenance\[0\].date: is no day of the calendar"),
    ],
)
def test_keys_that_do_not_go_together_say_so(change, words):
    with pytest.raises(ValidationError, match=words):
        Provider.model_validate({**BANK, **change})


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"org_code": "bank"}, "org_code"),
        ({"name": ""}, "name"),
        ({"industry": "bakery"}, "industry"),
        ({"base_urls": []}, "base_urls"),
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
def test_a_value_of_a_provider_that_is_none_is_named(change, key):
    with pytest.raises(ValidationError) as found:
        Provider.model_validate({**BANK, **change})
    assert ".".join(map(str, found.value.errors()[0]["loc"])) == key


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
def test_a_value_of_an_operator_that_is_none_is_named(change, key):
    with pytest.raises(ValidationError) as found:
        DirectoryOperator.model_validate({**OPERATOR, "services": [SERVICE], **change})
    assert ".".join(map(str, found.value.errors()[0]["loc"])) == key


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"services": [{"client_id": "two", "name": "Two"}]}, r"operators\[1\].org_code: stands twice: ZOPA000001"),
        ({"org_code": "ZOPB000001"}, r"operators\[1\].services\[0\].client_id: stands twice: one"),
    ],
)
def test_nobody_stands_twice(change, words):
    first = {**OPERATOR, "services": [SERVICE]}
    with pytest.raises(ValidationError, match=words):
        Directory.model_validate({"operators": [first, {**first, **change}]})
