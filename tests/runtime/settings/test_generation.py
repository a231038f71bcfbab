"""Tests of the fingerprint that names a generation of settings, certificates and keys."""

from datetime import UTC, datetime

import pytest
from mydata_sandbox.environment.build import build

from relay.runtime.settings.loading import load_settings


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    environment = build(tmp_path_factory.mktemp("sandbox"), datetime.now(UTC))
    environment.close()
    return environment


def compute(environment, environ=()):
    return load_settings(environment.settings, dict(environ)).fingerprint


@pytest.mark.parametrize(
    "name", ["certs/relay.pem", "certs/relay.key.pem", "certs/ca.pem", "certs/token-keys/jwks.json"]
)
def test_a_rotated_certificate_or_key_changes_the_generation(environment, name):
    file, former = environment.folder / name, compute(environment)
    content = file.read_bytes()
    try:
        file.write_bytes(content + b"\n")
        assert compute(environment) != former
        file.unlink()
        assert compute(environment) != former
    finally:
        file.write_bytes(content)
    assert compute(environment) == former


def test_a_secret_that_could_be_guessed_does_not_count(environment):
    file, former = environment.folder / "certs" / "customers.key", compute(environment)
    content = file.read_bytes()
    try:
        file.write_bytes(b"other")
        assert compute(environment) == former
    finally:
        file.write_bytes(content)


def test_a_private_key_of_the_environment_counts(environment):
    reference = {"RELAY__GATEWAY__TLS__PRIVATE_KEY": "env:KEY"}
    fingerprints = {compute(environment, reference | key) for key in ({}, {"KEY": "one"}, {"KEY": "two"})}
    assert len(fingerprints) == 3
