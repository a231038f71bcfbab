"""Sections for the portal, statistics, jobs and retention: allowed values, and keys that depend on others."""

import pytest
from pydantic import ValidationError

from relay.policy.settings.portal import (
    Guard,
    JobsSettings,
    MaintenanceWindow,
    OfferedCredential,
    PortalCredential,
    PortalSettings,
    PortalTimeouts,
    RetentionSettings,
    StatisticsSettings,
)

HASH = f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"
CALLS = {"client_id": "relayatportal", "client_secret": "env:S"}
OFFERS = {"client_id": "portalatrelay", "client_secret_hash": HASH}
PORTAL = {
    "org_code": "ZPTL000001",
    "base_url": "https://portal.example/api/",
    "serial_num": "999-81-00002",
    "addresses": ["192.0.2.9"],
    "calls": CALLS,
    "offers": OFFERS,
}
GOOD = {
    PortalSettings: PORTAL,
    PortalCredential: CALLS,
    OfferedCredential: OFFERS,
    PortalTimeouts: {},
    Guard: {},
    StatisticsSettings: {},
    JobsSettings: {},
    RetentionSettings: {},
    MaintenanceWindow: {"day": "sun", "start": "0200", "end": "0400"},
}


def first_error(model, values):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(GOOD[model] | values)
    return caught.value.errors()[0]


def test_six_keys_are_enough_for_a_portal():
    portal = PortalSettings.model_validate(PORTAL)
    assert (portal.base_url, portal.sync_s, portal.statistics_at) == ("https://portal.example/api", 600, "0400")
    assert (portal.guard.share, portal.guard.least, portal.offers.token_days) == (0.05, 3, 90)
    assert portal.ca is portal.certificate is portal.private_key is None


def test_paths_are_relative_to_the_settings_file(tmp_path):
    files = {
        "ca": "ca.pem",
        "certificate": "c.pem",
        "private_key": "file:k",
        "calls": CALLS | {"client_secret": "file:s"},
    }
    portal = PortalSettings.model_validate(PORTAL | files, context={"folder": tmp_path})
    assert (portal.ca, portal.certificate) == (f"{tmp_path}/ca.pem", f"{tmp_path}/c.pem")
    assert (portal.private_key, portal.calls.client_secret) == (f"file:{tmp_path}/k", f"file:{tmp_path}/s")
    assert StatisticsSettings.model_validate({}, context={"folder": tmp_path}).spool == f"{tmp_path}/spool"
    jobs = JobsSettings.model_validate({"redis": "file:redis.url"}, context={"folder": tmp_path})
    assert jobs.redis == f"file:{tmp_path}/redis.url"


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:6379/0",
        "rediss://h/1",
        "unix:///run/redis.sock",
        "unix:///run/redis.sock?db=2",
        "env:R",
        "file:r.url",
    ],
)
def test_redis_is_a_url_without_password_or_a_reference(url):
    assert JobsSettings.model_validate({"redis": url}).redis == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://:hunter2@h:6379/0", "is a secret"),
        ("rediss://me:hunter2@h", "is a secret"),
        ("redis://:hunt/er2@h", "is a secret"),  # no URL at all, but a password
        ("unix://me:hunter2@/run/redis.sock", "is a secret"),
        ("unix:///run/redis.sock?password=hunter2", "is a secret"),
        ("redis://h:6379/0?username=me&password=hunter2", "is a secret"),
        ("http://h", "redis://HOST:PORT/0"),
        ("h:6379", "redis://HOST:PORT/0"),
        ("redis://", "redis://HOST:PORT/0"),
        ("redis://h /0", "redis://HOST:PORT/0"),
        ("env:", "redis://HOST:PORT/0"),
        ("file:", "redis://HOST:PORT/0"),
        ("", "redis://HOST:PORT/0"),
    ],
)
def test_a_bad_redis_url_or_one_with_a_password_is_refused(url, words):
    message = first_error(JobsSettings, {"redis": url})["msg"]
    assert words in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"certificate": "c.pem"}, "private_key: is missing, but certificate is set"),
        ({"private_key": "env:K"}, "certificate: is missing, but private_key is set"),
    ],
)
def test_a_certificate_and_its_key_require_each_other(values, words):
    assert words in first_error(PortalSettings, values)["msg"]


@pytest.mark.parametrize("clock", ["0000", "0400", "2359", "1959"])
def test_a_time_of_day_is_hhmm(clock):
    assert PortalSettings.model_validate(PORTAL | {"statistics_at": clock}).statistics_at == clock


@pytest.mark.parametrize("clock", ["2400", "0060", "400", "04:00", "04000", "", "0４00", "4am "])
def test_an_invalid_time_of_day_is_refused(clock):
    assert "hhmm" in first_error(PortalSettings, {"statistics_at": clock})["msg"]
    assert "hhmm" in first_error(JobsSettings, {"retention_at": clock})["msg"]
    assert "hhmm" in first_error(MaintenanceWindow, {"end": clock})["msg"]


@pytest.mark.parametrize(
    ("model", "values", "key"),
    [
        (PortalSettings, {"org_code": "portal"}, "org_code"),
        (PortalSettings, {"base_url": "portal.example"}, "base_url"),
        (PortalSettings, {"base_url": "https://portal.example/?a=1"}, "base_url"),
        (PortalSettings, {"serial_num": ""}, "serial_num"),
        (PortalSettings, {"addresses": []}, "addresses"),  # its certificate alone does not identify the portal
        (PortalSettings, {"addresses": ["portal.example"]}, "addresses.0"),
        (PortalSettings, {"calls": {"client_id": "a"}}, "calls.client_secret"),
        (PortalSettings, {"calls": CALLS | {"client_secret": "hunter2"}}, "calls.client_secret"),
        (PortalSettings, {"offers": OFFERS | {"client_secret_hash": "hunter2"}}, "offers.client_secret_hash"),
        (PortalSettings, {"private_key": "hunter2", "certificate": "c"}, "private_key"),
        (PortalSettings, {"answer_bytes": 65_535}, "answer_bytes"),
        (PortalSettings, {"answer_bytes": 134_217_729}, "answer_bytes"),
        (PortalSettings, {"sync_s": 0.9}, "sync_s"),
        (PortalSettings, {"sync_s": 86_401}, "sync_s"),
        (PortalSettings, {"portal": 1}, "portal"),
        (OfferedCredential, {"client_id": "a-b"}, "client_id"),
        (OfferedCredential, {"token_days": 366}, "token_days"),  # 지원-101: a year at most
        (OfferedCredential, {"token_days": 0}, "token_days"),
        (OfferedCredential, {"services": ["a b"]}, "services.0"),
        (PortalTimeouts, {"connect_s": 0}, "connect_s"),
        (PortalTimeouts, {"attempts": 0}, "attempts"),
        (PortalTimeouts, {"attempts": 21}, "attempts"),
        (Guard, {"share": 1.01}, "share"),
        (Guard, {"share": -0.01}, "share"),
        (Guard, {"least": -1}, "least"),
        (StatisticsSettings, {"flush_s": 1.1}, "flush_s"),  # at most a second behind
        (StatisticsSettings, {"flush_s": 0}, "flush_s"),
        (StatisticsSettings, {"spool": ""}, "spool"),
        (JobsSettings, {"term_s": 4.9}, "term_s"),  # a shorter term could end between two ticks of the runner
        (JobsSettings, {"term_s": 301}, "term_s"),
        (RetentionSettings, {"consents_days": 399}, "consents_days"),  # 지원-104 may ask for 53 weeks
        (RetentionSettings, {"statistics_weeks": 53}, "statistics_weeks"),  # 지원-104 may ask for 53 weeks
        (RetentionSettings, {"spent_days": 29}, "spent_days"),
        (RetentionSettings, {"requests_days": 0}, "requests_days"),
        (RetentionSettings, {"portal_calls_days": 0}, "portal_calls_days"),
        (MaintenanceWindow, {"day": "sunday"}, "day"),
        (MaintenanceWindow, {"date": "2026-07-05"}, "date"),
        (MaintenanceWindow, {"date": "٢٠٢٧٠١٠١"}, "date"),
        (MaintenanceWindow, {"note": ""}, "note"),
    ],
)
def test_an_invalid_value_is_named_by_its_key(model, values, key):
    assert ".".join(map(str, first_error(model, values)["loc"])) == key


def test_an_error_does_not_repeat_a_secret():
    message = first_error(PortalSettings, {"calls": CALLS | {"client_secret": "hunter2"}})["msg"]
    assert "hunter2" not in message
