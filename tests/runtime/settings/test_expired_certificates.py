"""Tests of which certificates are checked at a reload, and when an expired one is rejected."""

from datetime import UTC, datetime

import pytest
from mydata_sandbox.environment.build import build

from relay.infra.upstream.tls import TlsError
from relay.runtime.settings.expired_certificates import check_new_certificates, read_certificates
from relay.runtime.settings.file_references import ReferenceKind
from relay.runtime.settings.loading import load_settings

NOW = datetime.now(UTC)
FAR = datetime.max.replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    environment = build(tmp_path_factory.mktemp("sandbox"), NOW)
    environment.close()
    return environment


@pytest.fixture
def current(environment):
    return read_certificates(load_settings(environment.settings, {}))


def test_certificates_and_cas_of_the_settings_are_read(environment, current):
    names = {(target.rpartition("/")[2], kind) for target, kind in current}
    assert {("relay.pem", ReferenceKind.CERTIFICATE), ("ca.pem", ReferenceKind.CA)} <= names


def test_unreadable_files_are_left_out(environment, tmp_path):
    loaded = load_settings(environment.settings, {})
    tls = loaded.settings.gateway.tls.model_copy(update={"certificate": str(tmp_path / "gone.pem")})
    gateway = loaded.settings.gateway.model_copy(update={"tls": tls})
    changed = type(loaded)(
        settings=loaded.settings.model_copy(update={"gateway": gateway}),
        providers=loaded.providers,
        directory=loaded.directory,
        files=loaded.files,
        fingerprint=loaded.fingerprint,
        provider_files=loaded.provider_files,
    )
    assert not [target for target, _ in read_certificates(changed) if target.endswith("gone.pem")]


def test_valid_certificates_are_accepted(current):
    check_new_certificates({}, current, NOW)
    check_new_certificates(current, current, NOW)


def test_a_certificate_in_force_may_have_expired(current):
    check_new_certificates(current, current, FAR)


@pytest.mark.parametrize("kind", [ReferenceKind.CERTIFICATE, ReferenceKind.CA])
def test_a_replacement_must_not_have_expired(current, kind):
    key = next(key for key in current if key[1] is kind)
    with pytest.raises(TlsError, match="expired") as raised:
        check_new_certificates({**current, key: b"another"}, current, FAR)
    assert key[0] in str(raised.value)
