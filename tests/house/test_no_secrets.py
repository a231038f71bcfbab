"""Nothing secret, and nothing of the machine it was written on. Patterns are put together so as not to match here."""

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


@pytest.mark.parametrize("what", PATTERNS)
def test_no_tracked_file_holds(texts, what):
    pattern = re.compile(PATTERNS[what])
    assert {str(path): found.group(0) for path, text in texts.items() if (found := pattern.search(text))} == {}


@pytest.mark.parametrize("what", PATTERNS)
def test_the_pattern_finds_what_it_looks_for(what):
    assert re.search(PATTERNS[what], SAMPLES[what])


def test_no_key_or_certificate_is_tracked(tracked):
    assert [str(path) for path in tracked if path.suffix in KEY_FILES] == []


def test_every_pin_has_a_hash_and_none_an_address(root):
    lines = (root / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9.-]+==[\w.]+ \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?", line) for line in lines)
    pins = [index for index, line in enumerate(lines) if "==" in line]
    assert all("--hash=sha256:" in lines[index + 1] for index in pins)
