"""Scalars of the settings: what fits and what does not."""

import pytest
from pydantic import TypeAdapter, ValidationError

from relay.policy.scalars import BaseUrl, LogPath, Network, Path, Secret, SerialNum, Slot, refuse


def fits(kind, value):
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "value", "good"),
    [
        (Secret, "file:certs/key", True),
        (Secret, "env:KEY", True),
        (Secret, "hunter2", False),
        (Secret, "env:", False),
        (Secret, "vault:key", False),
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
    ],
)
def test_a_scalar_fits_or_does_not(kind, value, good):
    assert fits(kind, value) is good


@pytest.mark.parametrize(
    ("kind", "written", "found"),
    [
        (Path, "../certs/a.pem", "/etc/certs/a.pem"),
        (Path, "/run/a.pem", "/run/a.pem"),
        (LogPath, "a.log", "/etc/relay/a.log"),
        (LogPath, "stdout", "stdout"),
        (Secret, "file:a.key", "file:/etc/relay/a.key"),
        (Secret, "env:KEY", "env:KEY"),
    ],
)
def test_files_are_found_from_the_folder_of_the_context(kind, written, found):
    assert TypeAdapter(kind).validate_python(written, context={"folder": "/etc/relay"}) == found
    assert TypeAdapter(kind).validate_python(written) == written


def test_a_trailing_slash_of_a_base_url_goes():
    assert TypeAdapter(BaseUrl).validate_python("https://bank.example/relay/") == "https://bank.example/relay"


def test_a_refusal_says_key_wrong_and_allowed():
    assert str(refuse("tls", "is missing", "a section").message()) == "tls: is missing, a section"
