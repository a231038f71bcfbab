import pytest
from harness import install


def test_missing_packages_are_those_without_their_file(monkeypatch, tmp_path):
    here = tmp_path / "haproxy"
    here.touch()
    monkeypatch.setattr(install, "NEEDED", {"haproxy": str(here), "gcc": str(tmp_path / "gcc")})
    assert install.missing() == ["gcc"]


def test_services_are_forbidden_only_while_apt_runs(monkeypatch, tmp_path):
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(install, "POLICY", policy)
    with install.services_stay_down():
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()


def test_an_existing_policy_is_kept(monkeypatch, tmp_path):
    policy = tmp_path / "policy-rc.d"
    policy.write_text("mine")
    monkeypatch.setattr(install, "POLICY", policy)
    with install.services_stay_down():
        assert policy.read_text() == "mine"
    assert policy.read_text() == "mine"


def test_without_root_the_command_is_reported(monkeypatch):
    monkeypatch.setattr(install, "missing", lambda: ["haproxy"])
    monkeypatch.setattr(install.os, "geteuid", lambda: 1000)
    with pytest.raises(install.NotInstallable, match="apt-get install -y --no-install-recommends haproxy"):
        install.install(None)
