"""An institution under development takes the place of a simulated one: files, registry, certificate."""

from datetime import UTC, datetime

import pytest
import yaml
from cryptography import x509
from mydata_sandbox.environment.build import build
from mydata_sandbox.environment.model import load_facts
from mydata_sandbox.environment.own_institution import MEDIATION_FOLDERS, PATH_KEYS, InvalidInstitution, OwnInstitution
from mydata_sandbox.environment.portal_registration import iter_organisations
from mydata_sandbox.environment.relay_address import RelayAddress
from mydata_sandbox.institution.failure_modes import FailureRule, InvalidRule

from relay.runtime.settings.file_references import find_references
from relay.runtime.settings.loading import load_settings

MY_FILE = """\
org_code: ZBAB000001
name: 가온은행
industry: bank
authentication: hosted
base_urls: ["https://bank.test:8443"]
"""
RELAY = RelayAddress.parse("https://127.0.0.1:19443")


@pytest.fixture
def write(tmp_path):
    """Writes a settings file and returns its path."""

    def write_file(text, name="my.yaml"):
        path = tmp_path / "bank" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write_file


@pytest.fixture
def build_with(tmp_path):
    """Builds a sandbox with an own institution."""
    opened = []

    def build_sandbox(own, **options):
        opened.append(build(tmp_path / "sandbox", datetime.now(UTC), portal=True, own=own, **options))
        return opened[-1]

    yield build_sandbox
    for environment in opened:
        environment.close()


def read(environment, industry="bank"):
    return yaml.safe_load((environment.folder / "providers" / f"{industry}.yaml").read_text())


def test_it_replaces_the_simulated_institution(write, build_with):
    environment = build_with(OwnInstitution.load(write(MY_FILE)))
    own = environment.institutions["bank"]
    assert (own.org_code, own.name, own.url) == ("ZBAB000001", "가온은행", "https://bank.test:8443")
    assert environment.own_institutions == (own,)
    assert environment.login_institution is own
    assert next(iter(load_facts(environment.folder)["institutions"])) == "ZBAB000001"
    members = {entry.org_code: entry for entry in iter_organisations(environment, environment.portal)}
    assert (members["ZBAB000001"].name, members["ZBAB000001"].industry) == ("가온은행", "bank")
    assert "ZBAA000001" not in members


def test_failure_rules_are_for_simulated_institutions_only(write, build_with):
    failures = build_with(OwnInstitution.load(write(MY_FILE))).failures
    assert failures.add(FailureRule("BA01", "slow", org_code="ZCDA000001"))
    for org_code in ("ZBAA000001", "ZBAB000001", "ZBAD000001"):
        with pytest.raises(InvalidRule, match=f"{org_code} is not one of ZCDA000001, "):
            failures.add(FailureRule("BA01", "slow", org_code=org_code))


def test_its_file_gets_ca_and_certificate_of_the_sandbox(write, build_with):
    environment = build_with(OwnInstitution.load(write(MY_FILE)))
    settings = read(environment)
    assert (settings["ca"], settings["certificate"]) == ("../certs/ca.pem", "../certs/relay.pem")
    providers = {provider.org_code: provider for provider in load_settings(environment.settings, {}).providers}
    assert providers["ZBAB000001"].base_urls == ("https://bank.test:8443",)


def test_the_certificate_is_for_the_host_of_its_server(write, build_with):
    environment = build_with(OwnInstitution.load(write(MY_FILE)))
    content = environment.certificates.providers["bank"].certificate.read_bytes()
    names = x509.load_pem_x509_certificate(content).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert "bank.test" in names.value.get_values_for_type(x509.DNSName)


def test_paths_start_at_the_folder_of_the_file(write, tmp_path):
    pair = 'ca: ../ca.pem\ncertificate: a.pem\nprivate_key: "file:a.key"\n'
    redirect = 'redirect: {url: "https://bank.test/login", public_key: b.pem}\n'
    settings = OwnInstitution.load(write(MY_FILE + pair + redirect)).settings
    assert settings["ca"] == str(tmp_path / "ca.pem")
    assert (settings["certificate"], settings["private_key"]) == (
        str(tmp_path / "bank" / "a.pem"),
        f"file:{tmp_path / 'bank' / 'a.key'}",
    )
    assert settings["redirect"]["public_key"] == str(tmp_path / "bank" / "b.pem")
    assert OwnInstitution.load(write(MY_FILE + 'private_key: "env:KEY"\n')).settings["private_key"] == "env:KEY"


def test_every_file_that_a_relay_reads_of_an_institution_is_known(build_with, write):
    environment = build_with(OwnInstitution.load(write(MY_FILE)))
    more = {
        "authentication": "redirect",
        "redirect": {"url": "https://bank.test/login", "public_key": "../certs/ca.pem"},
    }
    path = environment.folder / "providers" / "bank.yaml"
    path.write_text(yaml.safe_dump(read(environment) | more))
    loaded = load_settings(environment.settings, {})
    pairs = list(zip(loaded.provider_files, loaded.providers, strict=True))
    references = find_references(environment.settings, loaded.settings, pairs)
    folders = {key for key, _ in MEDIATION_FOLDERS.values()}
    assert {reference.key for reference in references if reference.file == path} | folders == set(PATH_KEYS)


def test_a_core_that_speaks_telegrams_has_its_layouts_beside_the_file(write, tmp_path):
    text = (
        MY_FILE.replace("base_urls", "#")
        + "speaks: telegram\ncore: {addresses: ['10.0.0.1:9100']}\nlink: leased_line\n"
    )
    own = OwnInstitution.load(write(text))
    assert (own.url, own.hosts) == ("tcp://10.0.0.1:9100", ())
    assert own.settings["telegrams"] == str(tmp_path / "bank" / "my" / "telegrams")
    assert "ca" not in own.settings


def test_a_core_with_json_of_its_own_has_its_files_beside_the_file(write, tmp_path):
    text = MY_FILE.replace("https", "http").replace("hosted", "none") + "speaks: json\nlink: leased_line\n"
    settings = OwnInstitution.load(write(text)).settings
    assert settings["json_apis"] == str(tmp_path / "bank" / "my" / "json")
    assert not settings.keys() & {"telegrams", "ca", "certificate"}
    named = OwnInstitution.load(write(text + "json_apis: apis\n"))
    assert named.settings["json_apis"] == str(tmp_path / "bank" / "apis")


def test_messages_of_the_relay_name_the_file_of_the_developer(write, tmp_path):
    own = OwnInstitution.load(write(MY_FILE))
    copy = tmp_path / "my sandbox" / "providers" / "bank.yaml"
    assert own.name_file(f"{copy}: rate: is wrong", tmp_path / "my sandbox") == f"{own.file}: rate: is wrong"


def test_another_institution_logs_customers_in_when_it_has_no_pages(write, build_with):
    environment = build_with(OwnInstitution.load(write(MY_FILE.replace("hosted", "none"))))
    assert environment.login_institution.industry == "card"


@pytest.mark.parametrize("second", [True, False])
def test_a_sandbox_that_is_used_again_changes_the_file(write, build_with, second):
    own = OwnInstitution.load(write(MY_FILE))
    first = build_with(None if second else own, relay=RELAY)
    first.close()
    again = build_with(own if second else None, relay=RELAY)
    expected = "ZBAB000001" if second else "ZBAA000001"
    assert read(again)["org_code"] == again.institutions["bank"].org_code == expected
    assert expected in load_facts(again.folder)["institutions"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a", "is no mapping"),
        ("a: [", "is no YAML in UTF-8"),
        (
            "industry: banking\norg_code: X",
            "org_code: 10 letters and digits\n.*name: a text of at most 60 bytes.*\n.*industry: one of bank, card",
        ),
        (MY_FILE.replace("base_urls", "urls"), "base_urls: the URLs of your server"),
        (MY_FILE.replace("bank.test:8443", "[::1"), "base_urls: URLs with a host in ASCII"),
        (MY_FILE.replace("bank.test", "은행.test"), "base_urls: URLs with a host in ASCII"),
        (MY_FILE.replace("가온은행", "은" * 21), "name: a text of at most 60 bytes"),
        (MY_FILE.replace("ZBAB000001", "ZCDA000001"), "org_code: ZCDA000001 is another party of the sandbox"),
        (MY_FILE.replace("ZBAB000001", "ZOPA000001"), "org_code: ZOPA000001 is another party of the sandbox"),
        (MY_FILE + "apis: [BA01]\ncore: 127.0.0.1:9100", "apis: a section\n.*core: a section"),
    ],
)
def test_a_wrong_file_is_explained(write, text, words):
    with pytest.raises(InvalidInstitution, match=words):
        OwnInstitution.load(write(text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidInstitution, match=r"none\.yaml: cannot be read"):
        OwnInstitution.load(tmp_path / "none.yaml")


def test_a_core_that_speaks_json_has_its_files_beside_the_file(write, tmp_path):
    text = MY_FILE.replace("https", "http") + "speaks: json\nlink: leased_line\n"
    settings = OwnInstitution.load(write(text)).settings
    assert settings["json_apis"] == str(tmp_path / "bank" / "my" / "json")
    assert "telegrams" not in settings
    settings = OwnInstitution.load(write(text + "json_apis: files\n")).settings
    assert settings["json_apis"] == str(tmp_path / "bank" / "files")
