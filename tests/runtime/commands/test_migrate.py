"""Tests of `relay migrate`."""

import base64
import json
import sqlite3

import pytest
from click.testing import CliRunner

from relay.runtime.cli import main

KEY = base64.b64encode(b"1" * 32).decode()
OTHER = base64.b64encode(b"2" * 32).decode()


@pytest.fixture
def migrate(folder):
    """Runs the command on valid settings; keyword arguments are environment variables."""
    folder.put("relay.yaml", "ledger.customer_keys", [{"kid": "one", "key": "env:ONE"}])

    def run(*args, **environ):
        return CliRunner().invoke(main, ["migrate", "-c", str(folder.path), *args], env={"ONE": KEY, **environ})

    return run


def version(folder, number):
    connection = sqlite3.connect(folder.root / "ledger.db")
    connection.execute("UPDATE alembic_version SET version_num = ?", [number])
    connection.commit()
    connection.close()


def test_the_tables_are_created_once(migrate):
    assert (migrate().exit_code, migrate().exit_code) == (0, 0)


def test_the_result_is_printed(migrate, folder):
    assert migrate().stdout == "the ledger's tables were created\ncustomer key introduced: one\n"
    assert migrate().stdout == "the ledger's tables are current\n"
    assert (folder.root / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_json_has_the_state_before_and_after(migrate):
    assert json.loads(migrate("--json").stdout) == {"before": "empty", "state": "current", "introduced": ["one"]}
    assert json.loads(migrate("--json").stdout) == {"before": "current", "state": "current", "introduced": []}


def test_a_check_prints_the_state_and_changes_nothing(migrate, folder):
    answer = migrate("--check")
    assert (answer.exit_code, answer.stdout) == (
        1,
        "the ledger has no tables yet: run `relay migrate -c relay.yaml`\n",
    )
    assert not (folder.root / "ledger.db").exists()
    migrate()
    answer = migrate("--check")
    assert (answer.exit_code, answer.stdout) == (0, "the ledger's tables are those this relay knows\n")
    version(folder, "9999")
    answer = migrate("--check", "--json")
    assert (answer.exit_code, json.loads(answer.stdout)) == (1, {"state": "newer"})


def test_a_newer_ledger_is_not_changed(migrate, folder):
    migrate()
    version(folder, "9999")
    answer = migrate()
    assert answer.exit_code == 2
    assert "install the newer relay" in answer.stderr


def test_resealing_prints_the_number_of_values(migrate):
    migrate()
    assert migrate("--reseal").stdout == "resealed under the first customer key: 0\n"
    assert json.loads(migrate("--reseal", "--json").stdout) == {"resealed": 0, "introduced": [], "forgotten": []}


def test_resealing_needs_tables(migrate):
    answer = migrate("--reseal")
    assert answer.exit_code == 2
    assert "run `relay migrate -c relay.yaml`" in answer.stderr


def test_a_wrong_key_is_named(migrate):
    migrate()
    answer = migrate("--reseal", ONE="x")
    assert answer.exit_code == 2
    assert answer.stderr.startswith("ledger.customer_keys[0].key: the environment variable ONE holds no base64")


@pytest.mark.parametrize("flags", [[], ["--check"], ["--reseal"]])
def test_another_key_under_a_known_kid_is_refused(migrate, flags):
    migrate()
    answer = migrate(*flags, ONE=OTHER)
    assert answer.exit_code == 2
    assert answer.stderr.startswith("the customer key 'one' is not the one of that name which the ledger knows: bring")
    assert answer.stderr.count("\n") == 1
    assert migrate("--check").exit_code == 0


def test_keys_change_in_the_order_of_the_manual(migrate, folder):
    former, new = {"kid": "one", "key": "env:ONE"}, {"kid": "two", "key": "env:TWO"}
    migrate()
    folder.put("relay.yaml", "ledger.customer_keys", [former, new])
    assert migrate("--check", TWO=OTHER).stderr.startswith(
        "the customer key 'two' is new to the ledger: `relay migrate"
    )
    assert migrate(TWO=OTHER).stdout == "the ledger's tables are current\ncustomer key introduced: two\n"
    folder.put("relay.yaml", "ledger.customer_keys", [new, former])
    assert migrate("--reseal", TWO=OTHER).stdout == "resealed under the first customer key: 0\n"
    folder.put("relay.yaml", "ledger.customer_keys", [new])
    for flags in ([], ["--check"]):
        assert "the ledger knows the customer key 'one', which is not among" in migrate(*flags, TWO=OTHER).stderr
    output = migrate("--reseal", TWO=OTHER).stdout
    assert output == "resealed under the first customer key: 0\ncustomer key forgotten: one\n"
    assert migrate("--check", TWO=OTHER).exit_code == 0


def test_a_missing_folder_is_named(migrate, folder):
    folder.put("relay.yaml", "ledger.url", "sqlite:nodir/ledger.db")
    answer = migrate()
    assert answer.exit_code == 2
    assert answer.stderr.startswith(f"the ledger does not answer (there is no folder {folder.root / 'nodir'}): check")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("flags", [[], ["--check"], ["--reseal"]])
def test_a_file_that_is_no_database_is_reported_once(migrate, folder, flags):
    (folder.root / "ledger.db").write_text("Zq7marker " * 1000)
    answer = migrate(*flags)
    assert answer.exit_code == 2
    assert answer.stderr.startswith("the ledger does not answer (file is not a database): check")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("flags", [[], ["--check"], ["--reseal"]])
def test_an_unreachable_server_is_reported_once(migrate, folder, flags):
    folder.put("relay.yaml", "ledger.url", "postgresql:///relay?host=/nowhere")
    answer = migrate(*flags)
    assert answer.exit_code == 2
    assert answer.stderr.startswith("the ledger does not answer (")
    assert answer.stderr.count("\n") == 1
    assert "problem" in json.loads(migrate(*flags, "--json").stdout)


def test_wrong_settings_are_one_line_each(migrate, folder):
    folder.put("relay.yaml", "ledger.connections", 0)
    answer = migrate()
    assert answer.exit_code == 2
    assert answer.stderr == f"{folder.path}: ledger.connections: is too small; expected: a whole number from 1 to 200\n"


def test_options_exclude_each_other(migrate):
    assert migrate("--check", "--reseal").exit_code == 2


def test_postgresql_gets_its_tables_too(migrate, folder, postgresql):
    url = postgresql.database()
    folder.put("relay.yaml", "ledger.url", "env:URL")
    assert migrate(URL=url).stdout == "the ledger's tables were created\ncustomer key introduced: one\n"
    assert migrate("--check", URL=url).exit_code == 0
    assert postgresql.sql(url, "SELECT number FROM revocation_head") == "0\n"


def test_help_has_examples(migrate):
    assert "relay migrate --check --json" in migrate("--help").output


def test_a_restored_ledger_begins_a_generation(migrate):
    migrate()
    answer = migrate("--restored")
    assert (answer.exit_code, answer.stdout) == (
        0,
        "the ledger is in generation 2: restart every relay that uses it\n",
    )
    assert json.loads(migrate("--restored", "--json").stdout) == {"generation": 3}


def test_restored_and_check_exclude_each_other(migrate):
    answer = migrate("--restored", "--check")
    assert (answer.exit_code, "one of them" in answer.stderr) == (2, True)
