"""Secrets are read from where they are kept; what is missing is said, never what is there."""

import pytest

from relay.runtime.settings.loading import load
from relay.runtime.settings.secret_references import Kind, SecretMissing, references, secret


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"key\n", b"key"), (b"key\r\n", b"key"), (b"key\n\n", b"key\n"), (b"key", b"key"), (b"\xff\x00", b"\xff\x00")],
)
def test_a_file_holds_a_secret_and_one_line_end(tmp_path, content, found):
    file = tmp_path / "key"
    file.write_bytes(content)
    assert secret(f"file:{file}") == found


def test_a_variable_holds_a_secret():
    assert secret("env:KEY", {"KEY": "비밀\n"}) == "비밀".encode()


def test_an_empty_file_is_no_secret(tmp_path):
    (tmp_path / "key").write_text("\n")
    with pytest.raises(SecretMissing, match=r"key is empty$"):
        secret(f"file:{tmp_path / 'key'}")


def test_the_process_environment_is_the_usual_one(monkeypatch):
    monkeypatch.setenv("RELAY_TEST_KEY", "x")
    assert secret("env:RELAY_TEST_KEY") == b"x"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:NOT_SET", "the environment variable NOT_SET is not set"),
        ("env:EMPTY", "the environment variable EMPTY is empty"),
        ("file:/nowhere/key", r"the file /nowhere/key cannot be read \(No such file or directory\)"),
        ("file:/dev/null", r"the file /dev/null cannot be read \(it is no regular file\)"),
        ("hunter2", "a secret is a reference, file:PATH or env:NAME"),
    ],
)
def test_a_missing_secret_says_where_it_should_be(reference, words):
    with pytest.raises(SecretMissing, match=f"^{words}$"):
        secret(reference, {"EMPTY": "\n"})


def test_everything_pointed_at_is_named_with_its_key(folder):
    folder.put("providers/bank.yaml", "certificate", "a.pem")
    folder.put("providers/bank.yaml", "private_key", "env:K")
    loaded = load(folder.path, {})
    found = list(references(folder.path, loaded.settings, [(loaded.sources[0], loaded.providers[0])]))
    assert [(each.file.name, each.key, each.kind) for each in found] == [
        ("relay.yaml", "gateway.tls.certificate", Kind.CERTIFICATE),
        ("relay.yaml", "gateway.tls.private_key", Kind.PRIVATE_KEY),
        ("relay.yaml", "gateway.tls.client_ca", Kind.CA),
        ("relay.yaml", "tokens.keys", Kind.TOKEN_KEYS),
        ("relay.yaml", "ledger.customer_keys[0].key", Kind.SECRET),
        ("bank.yaml", "ca", Kind.CA),
        ("bank.yaml", "certificate", Kind.CERTIFICATE),
        ("bank.yaml", "private_key", Kind.PRIVATE_KEY),
    ]
    assert [each.path for each in found if each.kind is Kind.PRIVATE_KEY] == [folder.root / "certs/relay.key", None]


def test_what_a_portal_points_at_is_named_too_and_watched(folder):
    folder.portal(ca="certs/portal-ca.pem", certificate="certs/at-portal.pem", private_key="env:K")
    loaded = load(folder.path, {})
    found = [one for one in references(folder.path, loaded.settings, []) if one.key.startswith("portal.")]
    assert [(each.key, each.kind) for each in found] == [
        ("portal.calls.client_secret", Kind.SECRET),
        ("portal.ca", Kind.CA),
        ("portal.certificate", Kind.CERTIFICATE),
        ("portal.private_key", Kind.PRIVATE_KEY),
    ]
    watched = {folder.root / "certs" / name for name in ("portal.secret", "portal-ca.pem", "at-portal.pem")}
    assert watched < set(loaded.files)


def test_a_portal_without_files_of_its_own_points_at_its_secret_alone(folder):
    folder.portal()
    found = references(folder.path, load(folder.path, {}).settings, [])
    assert [one.key for one in found if one.key.startswith("portal.")] == ["portal.calls.client_secret"]
