"""Tests of the TLS and values of a target that settings or options name."""

import pytest

from relay.policy.conformance.target import Target
from relay.runtime.commands.conform.trial_target import (
    TlsFiles,
    Unusable,
    build_contexts,
    build_target,
    read_customers,
)

NO_APIS = frozenset()


def test_a_leased_line_has_no_contexts():
    target = build_target("http://a:1/b/", "bank", "ZBAA000001", ("Q0k=",), NO_APIS, TlsFiles())
    assert (target.base_url, target.needs_certificate) == ("http://a:1/b", False)
    assert build_contexts(target, TlsFiles()).usual is None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a",
        "a:1",
        "http://a:99999",
        "http://a:0",
        "http://a:x",
        "http://u:p@a",
        "http://[a",
        "http://a?b",
        "http://a/\x1b",
    ],
)
def test_another_url_is_refused(url):
    with pytest.raises(Unusable, match="a URL is expected"):
        build_target(url, "bank", "ZBAA000001", ("Q0k=",), NO_APIS, TlsFiles())


def test_a_server_of_the_system_is_trusted_without_a_ca():
    target = Target("https://a", "bank", "ZBAA000001", ("Q0k=",), "ZZRELAY001")
    contexts = build_contexts(target, TlsFiles())
    assert None not in contexts


def test_a_certificate_must_be_demanded():
    files = TlsFiles(None, "a.pem", "file:a.key")
    target = build_target("https://a", "bank", "ZBAA000001", ("Q0k=",), NO_APIS, files)
    assert target.needs_certificate
    with pytest.raises(Unusable):
        build_contexts(target, files)


def test_customers_are_texts_or_references(tmp_path, monkeypatch):
    (tmp_path / "ci").write_text("Q0k=\n")
    monkeypatch.setenv("CI", "Q0l=")
    assert read_customers(f"file:{tmp_path}/ci", "env:CI") == ("Q0k=", "Q0l=")
    assert read_customers("Q0k=", "") == ("Q0k=",)
