"""Which certificates of the settings are watched, and when one that expired is refused."""

from datetime import UTC, datetime

import pytest

from relay.infra.upstream.tls import TlsError
from relay.runtime.settings.loading import load
from relay.runtime.settings.secret_references import Kind
from relay.runtime.wiring.expired_certificates import certificates_of, expect_new_unexpired
from relay.sandbox.street import build

NOW = datetime.now(UTC)
FAR = datetime.max.replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    street = build(tmp_path_factory.mktemp("street"), NOW)
    street.close()
    return street


@pytest.fixture
def current(street):
    return certificates_of(load(street.settings, {}))


def test_certificates_toward_callers_institutions_and_portal_are_watched(street, current):
    names = {(target.rpartition("/")[2], kind) for target, kind in current}
    assert {("relay.pem", Kind.CERTIFICATE), ("ca.pem", Kind.CA)} <= names


def test_a_file_that_cannot_be_read_is_left_to_the_role_that_needs_it(street, tmp_path):
    loaded = load(street.settings, {})
    tls = loaded.settings.gateway.tls.model_copy(update={"certificate": str(tmp_path / "gone.pem")})
    gateway = loaded.settings.gateway.model_copy(update={"tls": tls})
    spoilt = type(loaded)(
        settings=loaded.settings.model_copy(update={"gateway": gateway}),
        providers=loaded.providers,
        directory=loaded.directory,
        files=loaded.files,
        generation=loaded.generation,
        sources=loaded.sources,
    )
    assert not [target for target, _ in certificates_of(spoilt) if target.endswith("gone.pem")]


def test_what_is_valid_is_taken_whether_new_or_not(current):
    expect_new_unexpired({}, current, NOW)
    expect_new_unexpired(current, current, NOW)


def test_what_is_in_force_may_have_expired(current):
    expect_new_unexpired(current, current, FAR)


@pytest.mark.parametrize("kind", [Kind.CERTIFICATE, Kind.CA])
def test_what_was_exchanged_may_not_have_expired(current, kind):
    key = next(key for key in current if key[1] is kind)
    with pytest.raises(TlsError, match="expired") as raised:
        expect_new_unexpired({**current, key: b"another"}, current, FAR)
    assert key[0] in str(raised.value)
