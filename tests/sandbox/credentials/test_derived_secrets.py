import stat

from mydata_sandbox.credentials.derived_secrets import SecretSource


def test_secrets_of_a_loaded_seed_are_the_same(tmp_path):
    file = tmp_path / "secrets.key"
    made = SecretSource.make(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert SecretSource.load(file).derive("ZOPA000001SVC01") == made.derive("ZOPA000001SVC01")


def test_each_name_and_each_seed_has_its_own_secret(tmp_path):
    sources = [SecretSource.make(tmp_path / name) for name in "ab"]
    derived = {source.derive(name) for source in sources for name in ("one", "two")}
    assert len(derived) == 4
    assert {len(secret) for secret in derived} == {40}


def test_the_seed_is_not_printed(tmp_path):
    assert "seed" not in repr(SecretSource.make(tmp_path / "secrets.key"))
