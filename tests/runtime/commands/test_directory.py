"""`relay directory` as a user meets it, beside a portal that answers."""

import json
import sqlite3
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from relay.runtime.cli import main

OPERATOR = "ZOPA000001"
COMMANDS = (["show"], ["diff"], ["sync"], ["release", "--yes"], ["discard", "--reason", "why", "--yes"])


async def held(premises):
    """The portal deletes four and an operator, and the relay holds that back."""
    for org_code in ("ZBDA000001", "ZCDA000001", "ZCPA000001", OPERATOR):
        premises.registry.remove(org_code)
    answer = await premises.relay("directory", "sync")
    assert answer.exit_code == 1
    return answer


class TestShow:
    async def test_a_portal_that_was_never_heard_is_said_so(self, new_premises):
        answer = await new_premises.relay("directory", "show")
        assert (answer.exit_code, answer.stdout) == (0, "the portal was never heard: see relay jobs list\n")

    async def test_a_table_of_everybody_fits_80_columns(self, premises):
        answer = await premises.relay("directory", "show")
        lines = answer.stdout.splitlines()
        assert lines[0].startswith("17 organisations, 3 services, heard 20")
        assert f"{OPERATOR}  03    999-81-01001          2         2  모아보기마이데이터" in lines
        assert (answer.exit_code, len(lines)) == (0, 20)
        assert max(map(cell_len, lines)) <= 80

    async def test_one_is_shown_with_addresses_services_and_callbacks(self, premises):
        said = (await premises.relay("directory", "show", "--org-code", OPERATOR)).stdout
        for words in (
            "addresses     127.0.0.1, ::1\n",
            "service       ZOPA000001SVC01 모아보기\n",
            "  callback    https:",
        ):
            assert words in said
        assert "ZOPA000002" not in said

    async def test_one_that_nobody_knows_is_no_answer(self, premises):
        answer = await premises.relay("directory", "show", "--org-code", "ZZZZ000009")
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert answer.stderr == "the registry knows no organisation of this org_code\n"

    async def test_machines_are_told_all_of_it(self, premises):
        told = json.loads((await premises.relay("directory", "show", "--json")).stdout)
        assert (told["number"], told["held_since"], told["age_s"] >= 0, len(told["organisations"])) == (
            20,
            None,
            True,
            17,
        )
        one = next(each for each in told["organisations"] if each["org_code"] == OPERATOR)
        assert set(one["services"][0]) == {"client_id", "name", "callbacks", "app_schemes"}

    async def test_members_and_files_that_do_not_match_are_named(self, premises):
        (premises.path.parent / "providers" / "telecom.yaml").unlink()
        premises.registry.change("ZBAA000001", relay="ZRLB000001")
        await premises.relay("directory", "sync")
        said = (await premises.relay("directory", "show")).stdout
        assert "members of ours without a file in providers/: ZTEA000001\n" in said
        assert "files in providers/ the portal lists as no member of ours: ZBAA000001\n" in said


class TestSync:
    async def test_what_it_took_is_told(self, new_premises):
        answer = await new_premises.relay("directory", "sync")
        assert (answer.exit_code, answer.stderr) == (0, "")
        assert answer.stdout.startswith("taken: organisations 17 new")

    @pytest.mark.parametrize(("flags", "everything"), [([], False), (["--full"], True)])
    async def test_what_changed_is_asked_for_or_all_of_it(self, premises, flags, everything):
        answer = await premises.relay("directory", "sync", *flags)
        assert (answer.exit_code, answer.stdout) == (0, "nothing changed\n")
        asked = [one.values["search_timestamp"] == "0" for one in premises.portal.received if one.api_id == "지원-002"]
        assert asked == [everything]

    async def test_a_portal_that_fails_is_told_and_is_no_success(self, premises):
        premises.portal.misbehave("지원-002", "error_500", times=4)
        answer = await premises.relay("directory", "sync")
        assert (answer.exit_code, answer.stdout) == (1, "")
        assert answer.stderr.startswith("the portal gave no registry: 지원-002: ")
        told = json.loads((await premises.relay("directory", "sync", "--json")).stdout)
        assert (told["failed"], told["held"]) == (True, False)

    async def test_what_is_not_fit_is_told_by_its_place(self, premises):
        premises.portal.misbehave("지원-002", "missing_serial")
        answer = await premises.relay("directory", "sync")
        assert answer.exit_code == 1
        assert answer.stderr.startswith("지원-002 is invalid: 1 problem:\norg_list[")

    async def test_too_much_at_once_is_held_and_the_way_on_is_told(self, premises):
        answer = await held(premises)
        assert answer.stdout.startswith("held until a person releases it: ")
        assert answer.stderr == (
            "look at it: relay directory diff; take it: relay directory release; "
            "throw it away: relay directory discard\n"
        )
        told = json.loads((await premises.relay("directory", "sync", "--json")).stdout)
        assert (told["failed"], told["held"]) == (False, True)


class TestDiff:
    async def test_nothing_differs_once_all_was_taken(self, premises):
        answer = await premises.relay("directory", "diff")
        assert (answer.exit_code, answer.stdout) == (0, "nothing differs\n")

    async def test_what_the_portal_would_change_is_shown_and_not_taken(self, premises, ledger):
        premises.registry.change(OPERATOR, name="다른이름")
        premises.registry.remove_service("ZOPA000002SVC01")
        answer = await premises.relay("directory", "diff")
        assert answer.stdout.splitlines() == [
            f"~ organisation {OPERATOR} 다른이름: name 모아보기마이데이터 -> 다른이름",
            "- service ZOPA000002SVC01 한눈에",
        ]
        assert answer.exit_code == 0
        assert (await ledger.registry.registry()).organisations[OPERATOR].name == "모아보기마이데이터"

    async def test_another_secret_is_told_and_not_shown(self, premises):
        service = premises.registry.services["ZOPA000001SVC01"]
        premises.registry.put_service(replace(service, client_secret="n" * 40))
        premises.secrets.append("n" * 40)
        answer = await premises.relay("directory", "diff")
        assert answer.stdout == "~ service ZOPA000001SVC01 모아보기; another secret\n"

    async def test_what_is_held_is_shown_with_its_reasons(self, premises):
        await held(premises)
        answer = await premises.relay("directory", "diff")
        assert answer.exit_code == 1
        assert answer.stdout.startswith("held back since 20")
        assert "of 17 organisations would be cut off, re-keyed, redirected or re-timed within 7 days" in answer.stdout
        assert f"- organisation {OPERATOR} 모아보기마이데이터\n" in answer.stdout
        told = json.loads((await premises.relay("directory", "diff", "--json")).stdout)
        assert set(told) == {"held_since", "reasons", "changes"}
        assert "a sync is held back since 20" in (await premises.relay("directory", "show")).stdout

    async def test_a_portal_that_is_away_gives_no_difference(self, premises):
        premises.portal.misbehave("지원-002", "garbage", times=2)
        answer = await premises.relay("directory", "diff")
        assert (answer.exit_code, answer.stdout) == (1, "")
        assert answer.stderr.startswith("the portal gave no registry: ")


class TestRelease:
    async def test_when_nothing_is_held_there_is_nothing_to_take(self, premises):
        answer = await premises.relay("directory", "release", "--yes")
        assert (answer.exit_code, answer.stderr) == (2, "nothing is held back\n")

    async def test_who_does_not_mean_it_takes_nothing(self, premises, ledger):
        await held(premises)
        answer = await premises.relay("directory", "release", typed="n\n")
        assert answer.exit_code == 1
        assert "of 17 organisations would be cut off" in answer.stderr
        assert OPERATOR in (await ledger.registry.registry()).organisations
        assert await ledger.registry.held() is not None

    async def test_who_means_it_takes_what_was_shown(self, premises, ledger):
        await held(premises)
        answer = await premises.relay("directory", "release", typed="y\n")
        assert answer.exit_code == 0
        assert answer.stdout.endswith(" changes taken, gateways go by it within a second\n")
        assert OPERATOR not in (await ledger.registry.registry()).organisations
        assert await ledger.registry.held() is None

    async def test_machines_are_told_how_much_was_taken(self, premises):
        await held(premises)
        answer = await premises.relay("directory", "release", "--yes", "--json")
        told = json.loads(answer.stdout)
        assert (answer.exit_code, told["number"]) == (0, 20 + told["released"])

    async def test_what_a_later_sync_replaced_meanwhile_is_not_taken(self, premises, ledger, monkeypatch):
        await held(premises)

        def meanwhile(*_, **__):
            with sqlite3.connect(premises.path.parent / "ledger.db") as other:
                other.execute("UPDATE registry_held SET hold_id = 'later'")
            other.close()

        monkeypatch.setattr("click.confirm", meanwhile)
        answer = await premises.relay("directory", "release")
        assert answer.exit_code == 1
        assert answer.stderr.endswith("it is not held any more, a later sync took its place: relay directory diff\n")
        assert OPERATOR in (await ledger.registry.registry()).organisations


class TestDiscard:
    async def test_when_nothing_is_held_there_is_nothing_to_discard(self, premises):
        answer = await premises.relay("directory", "discard", "--reason", "wrong", "--yes")
        assert (answer.exit_code, answer.stderr) == (2, "nothing is held back\n")

    @pytest.mark.parametrize("reason", [[], ["--reason", " "], ["--reason", "two\nlines"], ["--reason", "x" * 201]])
    async def test_without_a_reason_nothing_is_discarded(self, premises, ledger, reason):
        await held(premises)
        answer = await premises.relay("directory", "discard", *reason, "--yes")
        assert answer.exit_code == 2
        assert "--reason" in answer.stderr
        assert await ledger.registry.held() is not None

    async def test_who_does_not_mean_it_discards_nothing(self, premises, ledger):
        await held(premises)
        answer = await premises.relay("directory", "discard", "--reason", "wrong", typed="n\n")
        assert answer.exit_code == 1
        assert f"- organisation {OPERATOR} " in answer.stderr
        assert await ledger.registry.held() is not None

    async def test_what_is_discarded_is_left_out_and_the_rest_is_taken(self, premises, ledger):
        await held(premises)
        answer = await premises.relay("directory", "discard", "--reason", "half a list", typed="y\n")
        assert (answer.exit_code, answer.stdout) == (0, "6 changes discarded, left out by syncs for 7 days\n")
        assert await ledger.registry.held() is None
        premises.registry.change("ZOPA000002", name="새 이름")
        answer = await premises.relay("directory", "sync", "--full")
        assert answer.stdout == (
            "taken: organisations 0 new, 1 changed, 0 gone; services 0 new, 0 changed, 0 gone; "
            "6 changes left out, discarded: half a list\n"
        )
        registry = await ledger.registry.registry()
        assert (OPERATOR in registry.organisations, f"{OPERATOR}SVC01" in registry.services) == (True, True)
        told = json.loads((await premises.relay("directory", "show", "--json")).stdout)
        assert [(one["reason"], one["changes"]) for one in told["discarded"]] == [("half a list", 6)]
        assert "discarded 20" in (await premises.relay("directory", "show")).stdout

    async def test_what_a_later_sync_replaced_meanwhile_is_not_discarded(self, premises, ledger, monkeypatch):
        await held(premises)

        def meanwhile(*_, **__):
            with sqlite3.connect(premises.path.parent / "ledger.db") as other:
                other.execute("UPDATE registry_held SET hold_id = 'later'")
            other.close()

        monkeypatch.setattr("click.confirm", meanwhile)
        answer = await premises.relay("directory", "discard", "--reason", "wrong")
        assert answer.exit_code == 1
        assert answer.stderr.endswith("it is not held any more, a later sync took its place: relay directory diff\n")
        assert await ledger.registry.held() is not None


@pytest.mark.parametrize("args", COMMANDS, ids=lambda args: args[0])
async def test_without_a_portal_each_says_where_to_look(premises, args):
    premises.without_portal()
    answer = await premises.relay("directory", *args)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("there is no portal in the settings: who may call stands in directory.yaml")


@pytest.mark.parametrize("args", [[], *COMMANDS], ids=lambda args: args[0] if args else "group")
def test_help_tells_what_it_does(args):
    answer = CliRunner().invoke(main, ["directory", *args[:1], "--help"])
    assert answer.exit_code == 0
    assert ("Examples:" in answer.stdout and "Exit code 0" in answer.stdout) or args
