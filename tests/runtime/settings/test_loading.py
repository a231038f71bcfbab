"""Settings come in as models, or as every problem at once."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.policy.settings.scalars import Checking
from relay.runtime.settings.loading import ConfigProblems, Problem, load


def problems(folder, environ=None):
    with pytest.raises(ConfigProblems) as caught:
        load(folder.path, environ or {})
    return list(caught.value.problems)


def told(folder, environ=None):
    return [str(problem).replace(f"{folder.root}/", "") for problem in problems(folder, environ)]


def test_good_settings_become_models(folder):
    loaded = load(folder.path, {})
    assert loaded.settings.relay.org_code == "ZZRELAY001"
    assert [provider.org_code for provider in loaded.providers] == ["ZBAA000001"]
    assert [operator.org_code for operator in loaded.directory.operators] == ["ZOPA000001", "ZOPB000001"]
    assert loaded.sources == (folder.root / "providers/bank.yaml",)


def test_files_are_absolute_and_relative_to_the_file_that_names_them(folder):
    folder.put("relay.yaml", "access_log.path", "logs/access.log")
    loaded = load(folder.path, {})
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


def test_stdout_and_environment_secrets_stay_as_written(folder):
    folder.put("relay.yaml", "gateway.tls.private_key", "env:RELAY_KEY")
    loaded = load(folder.path, {})
    assert loaded.settings.gateway.tls.private_key == "env:RELAY_KEY"
    assert loaded.settings.access_log.path == "stdout"


def test_a_relative_path_to_the_settings_is_made_absolute(folder, monkeypatch):
    monkeypatch.chdir(folder.root)
    assert load(Path("relay.yaml"), {}).files[0] == folder.path


def test_every_file_read_or_named_is_listed_once(folder):
    tls = ["certs/relay.pem", "certs/relay.key", "certs/ca.pem"]
    named = [*tls, "certs/token-keys/jwks.json", "certs/customers.key", "certs/bank.pem"]
    read = ["relay.yaml", "providers/bank.yaml", "directory.yaml"]
    assert load(folder.path, {}).files == tuple(folder.root / name for name in [*read, *named])


def test_generation_follows_contents_names_and_variables(folder):
    first = load(folder.path, {}).generation
    assert load(folder.path, {"HOME": "/"}).generation == first
    assert load(folder.path, {"RELAY__ADMIN__PORT": "9091"}).generation != first
    file = folder.root / "providers/bank.yaml"
    file.write_text(file.read_text() + "# seen\n")
    second = load(folder.path, {}).generation
    file.rename(file.with_name("other.yaml"))
    assert len({first, second, load(folder.path, {}).generation}) == 3


def test_problems_of_all_files_are_told_at_once(folder):
    folder.put("relay.yaml", "admin.port", 70000)
    folder.put("relay.yaml", "tokens.issuer", "short")
    folder.put("providers/bank.yaml", "industry", "banking")
    folder.put("directory.yaml", "operators.1.addresses", ["300.1.1.1"])
    folder.write("providers/b.yaml", "a: [")
    assert [(problem.file.rpartition("/")[2], problem.key) for problem in problems(folder)] == [
        ("relay.yaml", "tokens.issuer"),
        ("relay.yaml", "admin.port"),
        ("b.yaml", "line 1"),
        ("bank.yaml", "industry"),
        ("directory.yaml", "operators[1].addresses[0]"),
    ]


def test_other_files_are_read_though_the_relays_is_broken(folder):
    folder.write("relay.yaml", "relay: [")
    folder.put("providers/bank.yaml", "industry", "banking")
    assert [problem.file.rpartition("/")[2] for problem in problems(folder)] == ["relay.yaml", "bank.yaml"]


def test_missing_settings_are_one_problem(folder):
    folder.path.unlink()
    assert told(folder) == ["relay.yaml: does not exist, a YAML file"]


def test_an_empty_directory_file_is_nobody(folder):
    folder.write("directory.yaml", "# nobody yet\n")
    assert load(folder.path, {}).directory.operators == ()


def test_a_missing_directory_file_is_a_problem(folder):
    (folder.root / "directory.yaml").unlink()
    assert told(folder) == ["directory.yaml: does not exist, a YAML file"]


@pytest.mark.parametrize("left", [None, "operators: [{org_code: nobody}]", "[", "operators: 1"])
def test_with_a_portal_no_directory_file_is_looked_for(folder, left):
    folder.portal()
    (folder.root / "directory.yaml").unlink()
    generation = load(folder.path, {}).generation
    if left is not None:
        folder.write("directory.yaml", left)
    loaded = load(folder.path, {})
    assert (loaded.directory.operators, loaded.generation) == ((), generation)
    assert folder.root / "directory.yaml" not in loaded.files


def test_a_portal_without_anything_in_it_is_a_problem_and_no_directory(folder):
    folder.put("relay.yaml", "portal", {})
    (folder.root / "directory.yaml").unlink()
    found = told(folder)
    assert found
    assert all(line.startswith("relay.yaml: portal.") for line in found)


def test_variables_change_a_portal_too(folder):
    folder.portal()
    changed = load(folder.path, {"RELAY__PORTAL__SYNC_S": "60", "RELAY__PORTAL__CALLS__CLIENT_SECRET": "env:S"})
    assert (changed.settings.portal.sync_s, changed.settings.portal.calls.client_secret) == (60.0, "env:S")


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (lambda folder: folder.mkdir(), "leads to a folder without .yaml files"),
        (lambda folder: folder.write_text(""), "leads to a file"),
        (lambda _: None, "leads to a folder that does not exist"),
    ],
)
def test_a_providers_folder_must_hold_somebody(folder, make, wrong):
    make(folder.root / "elsewhere")
    folder.put("relay.yaml", "providers", "elsewhere")
    assert [(problem.key, problem.wrong) for problem in problems(folder)] == [("providers", wrong)]


def test_hidden_and_foreign_files_of_the_folder_are_left_aside(folder):
    folder.write("providers/.bank.yaml.swp", "x")
    folder.write("providers/.hidden.yaml", "x")
    folder.write("providers/README.md", "x")
    assert len(load(folder.path, {}).providers) == 1


def test_off_is_a_word(folder):
    folder.write("relay.yaml", folder.path.read_text() + "checking: off\n")
    assert load(folder.path, {}).settings.checking is Checking.OFF


def test_a_problem_without_place_or_rule_prints_what_it_has():
    assert str(Problem("a.yaml", "", "is a folder")) == "a.yaml: is a folder"


def test_a_file_below_the_working_directory_is_shown_relative(folder, monkeypatch):
    monkeypatch.chdir(folder.root)
    folder.put("relay.yaml", "admin.port", -1)
    assert problems(folder)[0].file == "relay.yaml"


def test_timeouts_of_a_provider_stand_on_those_of_the_relay(folder):
    folder.put("relay.yaml", "upstream.timeouts", {"first_byte_s": 9, "total_s": 10})
    folder.put("providers/bank.yaml", "timeouts", {"total_s": 11})
    timeouts = load(folder.path, {}).providers[0].timeouts
    assert (timeouts.connect_s, timeouts.first_byte_s, timeouts.total_s) == (2, 9, 11)


SECRET = "Zq7marker"
SHAPES = [str, lambda text: [text], lambda text: {"a": text}]
PLACES = [
    ("relay.yaml", "gateway.tls.private_key"),
    ("relay.yaml", "gateway.tls"),
    ("relay.yaml", "gateway.tls.certificate"),
    ("providers/bank.yaml", "private_key"),
    ("directory.yaml", "operators.0.services.0.client_secret_hash"),
    ("directory.yaml", "operators.0.services"),
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), noise=st.text(max_size=8), shape=st.sampled_from(SHAPES))
def test_a_secret_written_down_is_never_repeated(folder, place, noise, shape):
    folder.right()
    folder.put(*place, shape(noise + SECRET + noise))
    folder.put("relay.yaml", "admin.port", -1)
    assert SECRET not in "\n".join(told(folder))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.text("'\"*&!@%[]{}:#-|>\\ \t\n,a", max_size=6), after=st.text("'\"*&![]{}:# \t\n,b", max_size=6))
def test_a_secret_that_is_no_yaml_is_never_repeated(folder, before, after):
    folder.write("providers/bank.yaml", f"private_key: {before}{SECRET}{after}\n")
    assert all(SECRET not in str(problem) for problem in problems(folder) if "is not known" not in problem.wrong)
