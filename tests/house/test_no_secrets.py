"""Checks that no tracked file holds secrets or machine paths. Patterns are concatenated so that they do not match."""

import re

import pytest

PATTERNS = {
    "a private key": r"BEGIN (?:[A-Z]+ )?PRIV" + "ATE KEY",
    "a signed token": r"ey" + r"J[\w-]{16,}\.ey" + r"J[\w-]{16,}\.[\w-]{16,}",
    "a package index": "index" + r"[-_]url[ =]|py" + r"pi\.org|python" + r"hosted\.org",
    "a registry": r"regis" + r'try ?= ?"?http|"resol' + r'ved": ?"http|npm' + r"js\.org",
    "a path of a machine": r"(?<![\w.~*])/(?:wo" + r"rk|fa" + r"rm|ro" + r"ot|ho" + r"me/\w+)/\w",
    "a credential": r"(?i)(?:aws_secret_" + r"access_key|gh[pousr]_[A-Za-z0-9]{30}|xox[bp]-[0-9])",
}
KEY_FILES = {".pem", ".key", ".p12", ".pfx", ".jks", ".der", ".crt"}

SAMPLES = {
    "a private key": "-----BEGIN EC PRIV" + "ATE KEY-----",
    "a signed token": ".".join(["ey" + "J" + "a" * 20, "ey" + "J" + "b" * 20, "c" * 43]),
    "a package index": "--extra-index" + "-url https://example.org/simple",
    "a registry": "regis" + 'try = "http://example.org"',
    "a path of a machine": "/wo" + "rk/somewhere",
    "a credential": "ghp" + "_" + "a1B2" * 9,
}


@pytest.mark.parametrize("kind", PATTERNS)
def test_no_tracked_file_has(texts, kind):
    pattern = re.compile(PATTERNS[kind])
    assert {str(path): match.group(0) for path, text in texts.items() if (match := pattern.search(text))} == {}


@pytest.mark.parametrize("kind", PATTERNS)
def test_each_pattern_finds_its_sample(kind):
    assert re.search(PATTERNS[kind], SAMPLES[kind])


def test_no_key_or_certificate_is_tracked(tracked):
    assert [str(path) for path in tracked if path.suffix in KEY_FILES] == []


def test_every_pin_has_a_hash_and_no_url(root):
    lines = (root / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9.-]+==[\w.]+ \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?", line) for line in lines)
    pins = [index for index, line in enumerate(lines) if "==" in line]
    assert all("--hash=sha256:" in lines[index + 1] for index in pins)
