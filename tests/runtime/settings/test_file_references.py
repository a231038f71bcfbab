"""Secrets are read from files and variables; errors name the file or variable, never the secret."""

import pytest

from relay.runtime.settings.file_references import ReferenceKind, SecretMissing, find_references, read_secret
from relay.runtime.settings.loading import load_settings


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"key\n", b"key"), (b"key\r\n", b"key"), (b"key\n\n", b"key\n"), (b"key", b"key"), (b"\xff\x00", b"\xff\x00")],
)
def test_one_line_end_of_a_secret_file_is_removed(tmp_path, content, value):
    file = tmp_path / "key"
    file.write_bytes(content)
    assert read_secret(f"file:{file}") == value


def test_a_variable_can_hold_a_secret():
    assert read_secret("env:KEY", {"KEY": "비밀\n"}) == "비밀".encode()


def test_an_empty_file_is_no_secret(tmp_path):
    (tmp_path / "key").write_text("\n")
    with pytest.raises(SecretMissing, match=r"key is empty$"):
        read_secret(f"file:{tmp_path / 'key'}")


def test_the_default_is_the_environment_of_the_process(monkeypatch):
    monkeypatch.setenv("RELAY_TEST_KEY", "x")
    assert read_secret("env:RELAY_TEST_KEY") == b"x"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:NOT_SET", "the environment variable NOT_SET is not set"),
        ("env:EMPTY", "the environment variable EMPTY is empty"),
        ("file:/nowhere/key", r"the file /nowhere/key cannot be read \(No such file or directory\)"),
        ("file:/dev/null", r"the file /dev/null cannot be read \(not a regular file\)"),
        ("hunter2", "a secret is a reference, file:PATH or env:NAME"),
    ],
)
def test_a_missing_secret_is_named_by_file_or_variable(reference, words):
    with pytest.raises(SecretMissing, match=f"^{words}$"):
        read_secret(reference, {"EMPTY": "\n"})


def test_every_reference_has_its_file_key_and_kind(folder):
    folder.put("providers/bank.yaml", "certificate", "a.pem")
    folder.put("providers/bank.yaml", "private_key", "env:K")
    loaded = load_settings(folder.path, {})
    found_references = list(
        find_references(folder.path, loaded.settings, [(loaded.provider_files[0], loaded.providers[0])])
    )
    assert [(each.file.name, each.key, each.kind) for each in found_references] == [
        ("relay.yaml", "gateway.tls.certificate", ReferenceKind.CERTIFICATE),
        ("relay.yaml", "gateway.tls.private_key", ReferenceKind.PRIVATE_KEY),
        ("relay.yaml", "gateway.tls.client_ca", ReferenceKind.CA),
        ("relay.yaml", "tokens.keys", ReferenceKind.TOKEN_KEYS),
        ("relay.yaml", "ledger.customer_keys[0].key", ReferenceKind.SECRET),
        ("bank.yaml", "ca", ReferenceKind.CA),
        ("bank.yaml", "certificate", ReferenceKind.CERTIFICATE),
        ("bank.yaml", "private_key", ReferenceKind.PRIVATE_KEY),
    ]
    assert [each.path for each in found_references if each.kind is ReferenceKind.PRIVATE_KEY] == [
        folder.root / "certs/relay.key",
        None,
    ]


def test_references_of_the_portal_are_listed_and_watched(folder):
    folder.portal(ca="certs/portal-ca.pem", certificate="certs/at-portal.pem", private_key="env:K")
    loaded = load_settings(folder.path, {})
    pairs = [(each.key, each.kind) for each in find_references(folder.path, loaded.settings, [])]
    assert [pair for pair in pairs if pair[0].startswith("portal.")] == [
        ("portal.calls.client_secret", ReferenceKind.SECRET),
        ("portal.ca", ReferenceKind.CA),
        ("portal.certificate", ReferenceKind.CERTIFICATE),
        ("portal.private_key", ReferenceKind.PRIVATE_KEY),
    ]
    watched = {folder.root / "certs" / name for name in ("portal.secret", "portal-ca.pem", "at-portal.pem")}
    assert watched < set(loaded.files)


def test_a_portal_without_files_refers_to_its_secret_only(folder):
    folder.portal()
    keys = [each.key for each in find_references(folder.path, load_settings(folder.path, {}).settings, [])]
    assert [key for key in keys if key.startswith("portal.")] == ["portal.calls.client_secret"]
