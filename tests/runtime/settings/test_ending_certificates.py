"""Tests of certificates that end soon."""

from datetime import UTC, datetime, timedelta

import pytest
from mydata_sandbox.environment.build import build

from relay.runtime.settings.ending_certificates import WARNED_DAYS, find_ending, find_ending_warnings
from relay.runtime.settings.expired_certificates import read_certificates
from relay.runtime.settings.file_references import ReferenceKind
from relay.runtime.settings.loading import load_settings

NOW = datetime.now(UTC)
WARNED = timedelta(days=WARNED_DAYS)
UNREADABLE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    environment = build(tmp_path_factory.mktemp("sandbox"), NOW)
    environment.close()
    return environment


@pytest.fixture(scope="module")
def loaded(environment):
    return load_settings(environment.settings, {})


@pytest.fixture(scope="module")
def own(loaded):
    """The gateway's certificate, its file, and its end."""
    file = loaded.settings.gateway.tls.certificate
    certificates = {key: content for key, content in read_certificates(loaded).items() if key[0] == file}
    (ending,) = find_ending(certificates, datetime(9000, 1, 1, tzinfo=UTC))
    return certificates, file, ending.ends


def test_valid_certificates_are_not_named(loaded):
    assert list(find_ending(read_certificates(loaded), NOW)) == []


@pytest.mark.parametrize(("left", "days"), [(WARNED, None), (WARNED - timedelta(seconds=1), 29), (-WARNED, -30)])
def test_a_certificate_is_named_for_its_last_days_and_after(own, left, days):
    certificates, file, ends = own
    now = ends - left
    ending = list(find_ending(certificates, now))
    assert [each.count_days(now) for each in ending] == ([] if days is None else [days])
    assert all((each.file, each.kind) == (file, ReferenceKind.CERTIFICATE) for each in ending)


def test_each_ca_of_a_bundle_is_named(loaded):
    bundle = {(file, kind): content for (file, kind), content in read_certificates(loaded).items() if kind == "ca"}
    names = {each.name for each in find_ending(bundle, datetime(9000, 1, 1, tzinfo=UTC))}
    assert names
    assert all("CN=" in name for name in names)


def test_a_file_that_cannot_be_read_is_left_to_its_role():
    assert list(find_ending({("a.pem", ReferenceKind.CA): UNREADABLE}, NOW)) == []


def test_a_warning_names_file_key_and_days(environment, loaded, own):
    _, _, ends = own
    warnings = list(find_ending_warnings(environment.settings, loaded, ends - timedelta(days=3, hours=1)))
    (warning,) = [each for each in warnings if each.key == "gateway.tls.certificate"]
    assert warning.file.endswith("relay.yaml")
    assert warning.wrong.endswith(f" ends {ends:%Y-%m-%d}, in 3 days")
    assert "certificate" in {each.key for each in warnings if each.file.endswith("bank.yaml")}


def test_ended_certificates_are_problems_and_no_warnings(environment, loaded):
    assert list(find_ending_warnings(environment.settings, loaded, datetime(9000, 1, 1, tzinfo=UTC))) == []
