"""Scalar types of the settings: valid and invalid values."""

import pytest
from pydantic import TypeAdapter, ValidationError

from relay.policy.settings.scalars import (
    ApiCode,
    BaseUrl,
    ClientId,
    FilePath,
    LogPath,
    Network,
    OrgCode,
    Port,
    Seconds,
    SecretReference,
    SerialNum,
    Slot,
    Text,
    Version,
    build_error,
)


def is_valid(kind, value):
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "value", "good"),
    [
        (SecretReference, "file:certs/key", True),
        (SecretReference, "env:KEY", True),
        (SecretReference, "hunter2", False),
        (SecretReference, "env:", False),
        (SecretReference, "vault:key", False),
        (Network, "192.0.2.7", True),
        (Network, "192.0.2.7/24", True),
        (Network, "2001:db8::/32", True),
        (Network, "192.0.2.256", False),
        (Network, "bank.example", False),
        (Slot, "0100:0700", True),
        (Slot, "2200:2400", True),
        (Slot, "0100-0700", False),
        (Slot, "2460:0100", False),
        (Slot, "2500:0100", False),
        (BaseUrl, "https://bank.example:9443/relay", True),
        (BaseUrl, "http://10.20.30.1", True),
        (BaseUrl, "https://127.1", False),
        (BaseUrl, "https://2130706433", False),
        (BaseUrl, "https://0x7f000001", False),
        (BaseUrl, "https://bank.example:0", False),
        (BaseUrl, "https://bank.example:99999", False),
        (BaseUrl, "https://a:b@bank.example", False),
        (BaseUrl, "https://bank.example/?a=1", False),
        (BaseUrl, "ftp://bank.example", False),
        (SerialNum, "123-45-67890", True),
        (SerialNum, "---", False),
        (SerialNum, "1" * 21, False),
        (SerialNum, "１２３", False),
        (BaseUrl, "https://[2001:db8::1]:9443/a", True),
        (BaseUrl, "https://[2001:db8::1", False),
        (BaseUrl, "https://0177.0.0.1", False),
        (BaseUrl, "https://1.2.3", False),
        (BaseUrl, "https:bank.example", False),
        (BaseUrl, "https:///relay", False),
        (BaseUrl, "https://bank.example:port", False),
        (BaseUrl, "https://bank.example/#a", False),
        (BaseUrl, "bank.example", False),
        (BaseUrl, "", False),
        (OrgCode, "ZBAA000001", True),
        (OrgCode, "ZBAA00001", False),
        (OrgCode, "ZBAA0000011", False),
        (OrgCode, "ZBAA000001\n", False),
        (OrgCode, "ZBAA00000１", False),
        (OrgCode, "ZBAA-00001", False),
        (ClientId, "a" * 50, True),
        (ClientId, "a" * 51, False),
        (ClientId, "", False),
        (ClientId, "a\n", False),
        (ApiCode, "BA01", True),
        (ApiCode, "ba01", False),
        (ApiCode, "BA1", False),
        (Version, "v999", True),
        (Version, "v0", False),
        (Version, "v01", False),
        (Version, "v1000", False),
        (Version, "1", False),
        (Seconds, 3600, True),
        (Seconds, 0, False),
        (Seconds, -1, False),
        (Seconds, 3601, False),
        (Seconds, float("nan"), False),
        (Seconds, float("inf"), False),
        (Port, 65535, True),
        (Port, 65536, False),
        (Port, 1.5, False),
        (Network, "0.0.0.0/0", True),
        (Network, "192.0.2.01", False),
        (Network, "3221225985", False),
        (Network, " 192.0.2.1", False),
        (Network, "192.0.2.0/33", False),
        (Slot, "0100:0700:0800", False),
        (Slot, "0100:", False),
        (Slot, "1:2", False),
        (Text, "", False),
        (FilePath, "", False),
        (LogPath, "", False),
    ],
)
def test_a_scalar_is_valid_or_not(kind, value, good):
    assert is_valid(kind, value) is good


@pytest.mark.parametrize(
    ("kind", "written", "resolved"),
    [
        (FilePath, "../certs/a.pem", "/etc/certs/a.pem"),
        (FilePath, "/run/a.pem", "/run/a.pem"),
        (LogPath, "a.log", "/etc/relay/a.log"),
        (LogPath, "stdout", "stdout"),
        (SecretReference, "file:a.key", "file:/etc/relay/a.key"),
        (SecretReference, "env:KEY", "env:KEY"),
    ],
)
def test_paths_are_relative_to_the_folder_of_the_context(kind, written, resolved):
    assert TypeAdapter(kind).validate_python(written, context={"folder": "/etc/relay"}) == resolved
    assert TypeAdapter(kind).validate_python(written) == written


def test_a_trailing_slash_of_a_base_url_is_removed():
    assert TypeAdapter(BaseUrl).validate_python("https://bank.example/relay/") == "https://bank.example/relay"


def test_an_error_names_the_key_the_problem_and_what_is_expected():
    assert str(build_error("tls", "is missing", "a section").message()) == "tls: is missing; expected: a section"
