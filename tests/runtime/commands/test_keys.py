"""Tests of `relay keys`: its output and the folder of keys."""

import json
from datetime import datetime

import pytest
from click.testing import CliRunner

from relay.infra.tokens.key_folder import read_keys
from relay.infra.tokens.signing import TokenSigner
from relay.runtime.commands import keys
from relay.runtime.commands.keys import command


@pytest.fixture
def now(monkeypatch):
    """Sets the clock of the commands."""

    def move(seconds):
        monkeypatch.setattr(keys.time, "time", lambda: float(seconds))

    move(1_800_000_000)
    return move


@pytest.fixture
def run(folder):
    (folder.root / "certs").mkdir()
    return lambda *words: CliRunner().invoke(command, [*words, "-c", str(folder.path)])


@pytest.fixture
def key_folder(folder):
    return folder.root / "certs" / "token-keys"


def test_the_first_key_signs_at_once(run, now, key_folder):
    rotated = json.loads(run("rotate", "--json").output)
    assert rotated["signs_from"] == "2027-01-15T08:00:00+00:00"
    assert rotated["kid"].startswith("20270115-")
    (key,) = read_keys(key_folder)
    assert (key.kid, key.algorithm, key.signs_from) == (rotated["kid"], "ES256", 1_800_000_000)
    assert TokenSigner.from_folder(key_folder, "ZZRELAY001", 5.0).sign({}, 1_800_000_000)


@pytest.mark.parametrize(("words", "overlap"), [((), 60), (("--in", "3600"), 3600), (("--in", "0"), 0)])
def test_a_later_key_signs_after_the_overlap(run, now, key_folder, words, overlap):
    run("rotate")
    now(1_800_000_500)
    assert run("rotate", *words).exit_code == 0
    assert [key.signs_from for key in read_keys(key_folder)] == [1_800_000_000, 1_800_000_500 + overlap]


def test_the_list_shows_the_state_of_each_key(run, now):
    first = json.loads(run("rotate", "--json").output)["kid"]
    second = json.loads(run("rotate", "--json").output)["kid"]
    rows = json.loads(run("list", "--json").output)
    assert [(row["kid"], row["algorithm"], row["state"]) for row in rows] == [
        (first, "ES256", "signs"),
        (second, "ES256", "waits"),
    ]
    assert rows[1]["needed_until"] is None
    until = datetime.fromisoformat(rows[0]["needed_until"]) - datetime.fromisoformat(rows[1]["signs_from"])
    assert until.days == 367
    now(1_800_000_060)
    assert [row["state"] for row in json.loads(run("list", "--json").output)] == ["verifies", "signs"]


def test_the_list_is_a_table_by_default(run, now):
    run("rotate")
    shown = run("list").output
    assert "signs" in shown
    assert "ES256" in shown


def test_unneeded_keys_are_removed_and_listed(run, now, key_folder):
    first = json.loads(run("rotate", "--json").output)["kid"]
    run("rotate")
    assert run("prune").output == "every key is still needed\n"
    now(1_800_000_060 + 367 * 86_400)
    assert json.loads(run("prune", "--json").output) == {"removed": [first]}
    assert len(read_keys(key_folder)) == 1
    assert not (key_folder / f"{first}.pem").exists()


@pytest.mark.parametrize("words", ["list", "prune"])
def test_without_keys_the_command_fails(run, words):
    refused = run(words)
    assert refused.exit_code == 2
    assert refused.exception.code == 2
    assert refused.stderr
    assert not refused.stdout


def test_unusable_settings_are_reported(run, folder):
    folder.put("relay.yaml", "tokens.issuer", "short")
    refused = run("rotate")
    assert refused.exit_code == 2
    assert "tokens.issuer" in refused.stderr


@pytest.mark.parametrize("overlap", ["-1", "soon", "99999999"])
def test_an_overlap_is_a_number_of_seconds(run, overlap):
    assert run("rotate", "--in", overlap).exit_code == 2


def test_no_private_key_is_shown(run, now, key_folder):
    shown = "".join(run(*words).output for words in (("rotate",), ("rotate", "--json"), ("list",), ("list", "--json")))
    assert "PRIVATE" not in shown
    assert not any(line in shown for file in key_folder.glob("*.pem") for line in file.read_text().splitlines()[1:-1])


def test_the_list_prints_kids_and_times_whole_in_80_columns(run, now, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    kids = [json.loads(run("rotate", "--json").output)["kid"] for _ in range(2)]
    head, first, second = run("list").output.splitlines()
    assert head.split() == ["kid", "alg", "state", "signs", "from", "needed", "until"]
    assert first.split() == [kids[0], "ES256", "signs", "2027-01-15T08:00:00Z", "2028-01-17T08:01:00Z"]
    assert second.split() == [kids[1], "ES256", "waits", "2027-01-15T08:01:00Z", "-"]
    assert max(map(len, (head, first, second))) <= 80
