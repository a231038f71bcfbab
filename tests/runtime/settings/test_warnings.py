"""Settings that work, but probably not as intended, are reported as warnings."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from relay.runtime.settings.loading import load_settings
from relay.runtime.settings.warnings import find_file_warnings, find_setting_warnings
from relay.runtime.wiring.key_files import find_file_problems

NOW = datetime(2026, 3, 1, tzinfo=UTC)
APP = dict.fromkeys(("app_scheme_ios", "install_url_ios", "app_scheme_android", "install_url_android"), "bank://a")
KEY = ec.generate_private_key(ec.SECP256R1())


def build_ca(name, days):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - timedelta(days=90))
    builder = builder.not_valid_after(NOW + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def get_warned_keys(folder):
    loaded = load_settings(folder.path, {})
    return [warning.key for warning in find_setting_warnings(folder.path, loaded)]


@pytest.mark.parametrize(("method", "schemes", "count"), [("app", [], 1), ("app", ["one"], 0), ("none", [], 0)])
def test_services_without_schemes_are_warned_of_for_apps(folder, method, schemes, count):
    folder.put("providers/bank.yaml", "authentication", method)
    if method == "app":
        folder.put("providers/bank.yaml", "app", APP)
    folder.put("directory.yaml", "operators.0.services.0.app_schemes", schemes)
    assert get_warned_keys(folder).count("operators[0].services[0].app_schemes") == count


@pytest.mark.parametrize(("tls", "proxies", "is_warned"), [(None, [], True), (None, ["10.0.0.1"], False)])
def test_pages_behind_an_unlisted_load_balancer_are_warned_of(folder, tls, proxies, is_warned):
    folder.put("relay.yaml", "authority.pages", {"url": "https://a.example", "tls": tls, "proxies": proxies})
    assert ("authority.pages.proxies" in get_warned_keys(folder)) is is_warned


def test_services_without_a_secret_are_warned_of(folder):
    folder.put("directory.yaml", "operators.0.services.0.client_secret_hash", None)
    assert "operators[0].services[0].client_secret_hash" in get_warned_keys(folder)


@pytest.mark.parametrize(("finish_s", "is_warned"), [(15, False), (20, True)])
def test_a_stop_that_kubernetes_would_cut_is_warned_of(folder, finish_s, is_warned):
    folder.put("relay.yaml", "gateway.drain", {"delay_s": 5, "finish_s": finish_s})
    assert ("gateway.drain" in get_warned_keys(folder)) is is_warned


@pytest.mark.parametrize(("mode", "is_readable"), [(0o600, False), (0o640, False), (0o644, True)])
def test_world_readable_secrets_are_warned_of(folder, mode, is_readable):
    (folder.root / "certs").mkdir()
    key = folder.root / "certs" / "customers.key"
    key.write_bytes(b"A" * 44)
    key.chmod(mode)
    loaded = load_settings(folder.path, {})
    warnings = [warning.wrong for warning in find_file_warnings(folder.path, loaded, NOW)]
    expected = [f"the file {key} is readable by all users"] if is_readable else []
    assert [text for text in warnings if "customers.key" in text] == expected


@pytest.mark.parametrize(("days", "problems", "warnings"), [((9, 9), 0, 0), ((-9, 9), 0, 1), ((-9, -9), 2, 0)])
def test_one_expired_ca_is_a_warning_and_all_are_a_problem(folder, days, problems, warnings):
    (folder.root / "certs").mkdir()
    bundle = b"text that OpenSSL ignores\n" + b"".join(build_ca(f"ca {index}", day) for index, day in enumerate(days))
    (folder.root / "certs" / "ca.pem").write_bytes(bundle)
    loaded = load_settings(folder.path, {})
    key = "gateway.tls.client_ca"
    assert len([each for each in find_file_problems(folder.path, loaded, NOW) if each.key == key]) == problems
    assert len([each for each in find_file_warnings(folder.path, loaded, NOW) if each.key == key]) == warnings
