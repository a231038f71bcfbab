"""Loading returns models, or raises every problem at once."""

import shutil
from pathlib import Path

import pytest
from fixtures.telegram_core import TELEGRAMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.policy.settings.scalars import Checking
from relay.runtime.settings.loading import SettingsError, SettingsProblem, load_settings
from relay.runtime.settings.warnings import find_layout_warnings


def get_problems(folder, environ=None):
    with pytest.raises(SettingsError) as caught:
        load_settings(folder.path, environ or {})
    return list(caught.value.problems)


def get_lines(folder, environ=None):
    return [str(problem).replace(f"{folder.root}/", "") for problem in get_problems(folder, environ)]


def test_valid_settings_become_models(folder):
    loaded = load_settings(folder.path, {})
    assert loaded.settings.relay.org_code == "ZZRELAY001"
    assert [provider.org_code for provider in loaded.providers] == ["ZBAA000001"]
    assert [operator.org_code for operator in loaded.directory.operators] == ["ZOPA000001", "ZOPB000001"]
    assert loaded.provider_files == (folder.root / "providers/bank.yaml",)


def test_paths_are_relative_to_the_settings_file_and_absolute(folder):
    folder.put("relay.yaml", "access_log.path", "logs/access.log")
    loaded = load_settings(folder.path, {})
    root = str(folder.root)
    assert loaded.settings.gateway.tls.certificate == f"{root}/certs/relay.pem"
    assert loaded.settings.gateway.tls.private_key == f"file:{root}/certs/relay.key"
    assert loaded.settings.tokens.keys == f"{root}/certs/token-keys"
    assert loaded.settings.ledger.url == f"sqlite:{root}/ledger.db"
    assert loaded.settings.ledger.customer_keys[0].key == f"file:{root}/certs/customers.key"
    assert loaded.settings.authority.socket == f"{root}/authority.sock"
    assert loaded.settings.access_log.path == f"{root}/logs/access.log"
    assert loaded.settings.directory == f"{root}/directory.yaml"
    assert loaded.settings.providers == f"{root}/providers"
    assert loaded.providers[0].ca == f"{root}/certs/bank.pem"


def test_stdout_and_env_references_stay_as_written(folder):
    folder.put("relay.yaml", "gateway.tls.private_key", "env:RELAY_KEY")
    loaded = load_settings(folder.path, {})
    assert loaded.settings.gateway.tls.private_key == "env:RELAY_KEY"
    assert loaded.settings.access_log.path == "stdout"


def test_a_relative_path_to_the_settings_is_made_absolute(folder, monkeypatch):
    monkeypatch.chdir(folder.root)
    assert load_settings(Path("relay.yaml"), {}).files[0] == folder.path


def test_every_file_read_or_referenced_is_listed_once(folder):
    tls = ["certs/relay.pem", "certs/relay.key", "certs/ca.pem"]
    referenced = [*tls, "certs/token-keys/jwks.json", "certs/customers.key", "certs/bank.pem"]
    read = ["relay.yaml", "providers/bank.yaml", "directory.yaml"]
    assert load_settings(folder.path, {}).files == tuple(folder.root / name for name in [*read, *referenced])


def test_fingerprint_depends_on_contents_names_and_variables(folder):
    first = load_settings(folder.path, {}).fingerprint
    assert load_settings(folder.path, {"HOME": "/"}).fingerprint == first
    assert load_settings(folder.path, {"RELAY__ADMIN__PORT": "9091"}).fingerprint != first
    file = folder.root / "providers/bank.yaml"
    file.write_text(file.read_text() + "# seen\n")
    second = load_settings(folder.path, {}).fingerprint
    file.rename(file.with_name("other.yaml"))
    assert len({first, second, load_settings(folder.path, {}).fingerprint}) == 3


def test_problems_of_all_files_are_reported_at_once(folder):
    folder.put("relay.yaml", "admin.port", 70000)
    folder.put("relay.yaml", "tokens.issuer", "short")
    folder.put("providers/bank.yaml", "industry", "banking")
    folder.put("directory.yaml", "operators.1.addresses", ["300.1.1.1"])
    folder.write("providers/b.yaml", "a: [")
    assert [(problem.file.rpartition("/")[2], problem.key) for problem in get_problems(folder)] == [
        ("relay.yaml", "tokens.issuer"),
        ("relay.yaml", "admin.port"),
        ("b.yaml", "line 1"),
        ("bank.yaml", "industry"),
        ("directory.yaml", "operators[1].addresses[0]"),
    ]


def test_other_files_are_read_when_relay_yaml_is_broken(folder):
    folder.write("relay.yaml", "relay: [")
    folder.put("providers/bank.yaml", "industry", "banking")
    assert [problem.file.rpartition("/")[2] for problem in get_problems(folder)] == ["relay.yaml", "bank.yaml"]


def test_a_missing_relay_yaml_is_one_problem(folder):
    folder.path.unlink()
    assert get_lines(folder) == ["relay.yaml: does not exist; expected: a YAML file"]


def test_an_empty_directory_has_no_operators(folder):
    folder.write("directory.yaml", "# no operators yet\n")
    assert load_settings(folder.path, {}).directory.operators == ()


def test_a_missing_directory_file_is_a_problem(folder):
    (folder.root / "directory.yaml").unlink()
    assert get_lines(folder) == ["directory.yaml: does not exist; expected: a YAML file"]


@pytest.mark.parametrize("content", [None, "operators: [{org_code: short}]", "[", "operators: 1"])
def test_with_a_portal_the_directory_is_not_read(folder, content):
    folder.portal()
    (folder.root / "directory.yaml").unlink()
    fingerprint = load_settings(folder.path, {}).fingerprint
    if content is not None:
        folder.write("directory.yaml", content)
    loaded = load_settings(folder.path, {})
    assert (loaded.directory.operators, loaded.fingerprint) == ((), fingerprint)
    assert folder.root / "directory.yaml" not in loaded.files


def test_an_unreadable_settings_file_needs_no_directory(folder):
    folder.write("relay.yaml", "relay: [")
    (folder.root / "directory.yaml").unlink()
    (line,) = get_lines(folder)
    assert line.startswith("relay.yaml: ")


def test_with_an_empty_portal_section_no_directory_is_read(folder):
    folder.put("relay.yaml", "portal", {})
    (folder.root / "directory.yaml").unlink()
    lines = get_lines(folder)
    assert lines
    assert all(line.startswith("relay.yaml: portal.") for line in lines)


def test_variables_override_the_portal_section(folder):
    folder.portal()
    changed = load_settings(
        folder.path, {"RELAY__PORTAL__SYNC_S": "60", "RELAY__PORTAL__CALLS__CLIENT_SECRET": "env:S"}
    )
    assert (changed.settings.portal.sync_s, changed.settings.portal.calls.client_secret) == (60.0, "env:S")


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (lambda folder: folder.mkdir(), "names a folder without .yaml files"),
        (lambda folder: folder.write_text(""), "names a file"),
        (lambda _: None, "names a folder that does not exist"),
    ],
)
def test_a_providers_folder_without_files_is_a_problem(folder, make, wrong):
    make(folder.root / "elsewhere")
    folder.put("relay.yaml", "providers", "elsewhere")
    assert [(problem.key, problem.wrong) for problem in get_problems(folder)] == [("providers", wrong)]


def test_hidden_and_other_files_of_the_folder_are_ignored(folder):
    folder.write("providers/.bank.yaml.swp", "x")
    folder.write("providers/.hidden.yaml", "x")
    folder.write("providers/README.md", "x")
    assert len(load_settings(folder.path, {}).providers) == 1


def test_off_is_text(folder):
    folder.write("relay.yaml", folder.path.read_text() + "checking: off\n")
    assert load_settings(folder.path, {}).settings.checking is Checking.OFF


def test_a_problem_without_key_and_allowed_is_printed_short():
    assert str(SettingsProblem("a.yaml", "", "is a folder")) == "a.yaml: is a folder"


def test_a_file_below_the_working_directory_is_shown_relative(folder, monkeypatch):
    monkeypatch.chdir(folder.root)
    folder.put("relay.yaml", "admin.port", -1)
    assert get_problems(folder)[0].file == "relay.yaml"


def test_timeouts_of_the_relay_are_defaults_of_institutions(folder):
    folder.put("relay.yaml", "upstream.timeouts", {"first_byte_s": 9, "total_s": 10})
    folder.put("providers/bank.yaml", "timeouts", {"total_s": 11})
    timeouts = load_settings(folder.path, {}).providers[0].timeouts
    assert (timeouts.connect_s, timeouts.first_byte_s, timeouts.total_s) == (2, 9, 11)


SECRET = "Zq7marker"
SHAPES = [str, lambda text: [text], lambda text: {"a": text}]
KEYS = [
    ("relay.yaml", "gateway.tls.private_key"),
    ("relay.yaml", "gateway.tls"),
    ("relay.yaml", "gateway.tls.certificate"),
    ("providers/bank.yaml", "private_key"),
    ("directory.yaml", "operators.0.services.0.client_secret_hash"),
    ("directory.yaml", "operators.0.services"),
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(KEYS), noise=st.text(max_size=8), shape=st.sampled_from(SHAPES))
def test_a_secret_in_a_file_is_never_repeated(folder, key, noise, shape):
    folder.reset()
    folder.put(*key, shape(noise + SECRET + noise))
    folder.put("relay.yaml", "admin.port", -1)
    assert SECRET not in "\n".join(get_lines(folder))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.text("'\"*&!@%[]{}:#-|>\\ \t\n,a", max_size=6), after=st.text("'\"*&![]{}:# \t\n,b", max_size=6))
def test_a_secret_in_invalid_yaml_is_never_repeated(folder, before, after):
    folder.write("providers/bank.yaml", f"private_key: {before}{SECRET}{after}\n")
    assert all(SECRET not in str(problem) for problem in get_problems(folder) if "is unknown" not in problem.wrong)


SAVINGS = """
org_code: ZBAC000001
name: Savings
industry: bank
speaks: telegram
link: leased_line
apis: {left_out: [IR01, IR02, IR03, IR04]}
core: {addresses: ["127.0.0.1:1"]}
"""


@pytest.fixture
def telegrams(folder):
    """The layouts of an institution in their folder by default."""
    folder.write("providers/savings.yaml", SAVINGS)
    return Path(shutil.copytree(TELEGRAMS, folder.root / "providers/savings/telegrams"))


def test_layouts_are_loaded_from_the_folder_beside_the_file(folder, telegrams):
    loaded = load_settings(folder.path, {})
    assert len(loaded.telegrams["ZBAC000001"].conversions) == 10
    assert (loaded.needs_adapter, loaded.layout_folders) == (True, (telegrams,))
    assert {telegrams / "link.yaml", telegrams / "BA04.yaml"} <= set(loaded.files)


def test_the_fingerprint_counts_layouts(folder, telegrams):
    former = load_settings(folder.path, {}).fingerprint
    layout = telegrams / "BA22.yaml"
    layout.write_text(layout.read_text().replace("code: A022", "code: B022"))
    assert load_settings(folder.path, {}).fingerprint != former


def test_problems_of_layouts_are_reported_with_the_others(folder, telegrams):
    (telegrams / "BA23.yaml").unlink()
    layout = telegrams / "BA22.yaml"
    layout.write_text(layout.read_text().replace("api: BA22", "api: BA99"))
    folder.put("providers/bank.yaml", "concurrency", 0)
    lines = get_lines(folder)
    assert [line.partition(":")[0] for line in lines] == [
        "providers/bank.yaml",
        *["providers/savings/telegrams/link.yaml"] * 2,
        "providers/savings/telegrams/BA22.yaml",
    ]
    assert lines[2].startswith("providers/savings/telegrams/link.yaml: has no file for BA23")


def test_warnings_of_layouts_name_their_file(folder, telegrams):
    assert list(find_layout_warnings(load_settings(folder.path, {}))) == []
    link = telegrams / "link.yaml"
    link.write_text(link.read_text() + "customer: unchecked\n")
    (warning,) = find_layout_warnings(load_settings(folder.path, {}))
    assert (Path(warning.file), warning.key) == (link, "customer")
    assert warning.wrong == "is unchecked: the core cannot know whose account a call asks for"


def test_without_telegrams_no_adapter_is_needed(folder):
    assert not load_settings(folder.path, {}).needs_adapter


def test_several_requests_on_a_line_need_a_unique_number(folder, telegrams):
    folder.put("providers/savings.yaml", "core.requests", 2)
    assert load_settings(folder.path, {}).needs_adapter
    link = telegrams / "link.yaml"
    link.write_text(link.read_text().replace("n(12)  = $unique_number", "n(12)  = 1"))
    (line,) = get_lines(folder)
    assert line.startswith("providers/savings.yaml: core.requests: is 2, but telegrams have no unique number")


def test_several_requests_on_a_line_need_a_long_unique_number(folder, telegrams):
    folder.put("providers/savings.yaml", "core.requests", 8)
    link = telegrams / "link.yaml"
    link.write_text(link.read_text().replace("n(12)  = $unique_number", "n(2)   = $unique_number\n  - filler(10)"))
    (line,) = get_lines(folder)
    assert line.startswith("providers/savings.yaml: core.requests: is 8, but unique numbers of 2 digits are soon those")
