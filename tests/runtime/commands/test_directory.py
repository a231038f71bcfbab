"""Tests of `relay directory` with a portal that serves."""

import json
import sqlite3
from dataclasses import replace

import pytest
from click.testing import CliRunner
from mydata_sandbox.parties import INSTITUTIONS, MEDIATED, OPERATORS
from rich.cells import cell_len

from relay.runtime.cli import main

OPERATOR = "ZOPA000001"
OTHERS = 4
"""The relay, the portal and two certifiers."""

ORGANISATIONS = len(INSTITUTIONS) + len(MEDIATED) + len(OPERATORS) + OTHERS
SERVICES = sum(len(services) for _, _, services in OPERATORS)
COMMANDS = (["show"], ["diff"], ["sync"], ["release", "--yes"], ["discard", "--reason", "why", "--yes"])


async def hold_changes(deployment):
    """The portal deletes three institutions and an operator, and the relay holds these changes."""
    for org_code in ("ZBDA000001", "ZCDA000001", "ZCPA000001", OPERATOR):
        deployment.registry.remove(org_code)
    answer = await deployment.relay("directory", "sync")
    assert answer.exit_code == 1
    return answer


class TestShow:
    async def test_a_missing_sync_is_reported(self, new_deployment):
        answer = await new_deployment.relay("directory", "show")
        assert (answer.exit_code, answer.stdout) == (0, "no sync has succeeded yet: see relay jobs list\n")

    async def test_the_table_of_all_organisations_fits_80_columns(self, deployment):
        answer = await deployment.relay("directory", "show")
        lines = answer.stdout.splitlines()
        assert lines[0].startswith(f"{ORGANISATIONS} organisations, 3 services, synced 20")
        assert f"{OPERATOR}  03    999-81-01001          2         2  모아보기마이데이터" in lines
        assert (answer.exit_code, len(lines)) == (0, ORGANISATIONS + SERVICES)
        assert max(map(cell_len, lines)) <= 80

    async def test_one_organisation_is_shown_with_its_details(self, deployment):
        output = (await deployment.relay("directory", "show", "--org-code", OPERATOR)).stdout
        for words in (
            "addresses     127.0.0.1, ::1\n",
            "service       ZOPA000001SVC01 모아보기\n",
            "  callback    https:",
        ):
            assert words in output
        assert "ZOPA000002" not in output

    async def test_an_unknown_organisation_is_an_error(self, deployment):
        answer = await deployment.relay("directory", "show", "--org-code", "ZZZZ000009")
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert answer.stderr == "the registry has no organisation with this org_code\n"

    async def test_json_has_everything(self, deployment):
        result = json.loads((await deployment.relay("directory", "show", "--json")).stdout)
        assert (result["number"], result["held_since"], result["age_s"] >= 0, len(result["organisations"])) == (
            ORGANISATIONS + SERVICES,
            None,
            True,
            ORGANISATIONS,
        )
        operator = next(each for each in result["organisations"] if each["org_code"] == OPERATOR)
        assert set(operator["services"][0]) == {"client_id", "name", "callbacks", "app_schemes"}

    async def test_members_and_files_that_differ_are_named(self, deployment):
        (deployment.path.parent / "providers" / "telecom.yaml").unlink()
        deployment.registry.change("ZBAA000001", relay="ZRLB000001")
        await deployment.relay("directory", "sync")
        output = (await deployment.relay("directory", "show")).stdout
        assert "members of this relay without a file in providers/: ZTEA000001\n" in output
        assert "files in providers/ that the portal does not list as members of this relay: ZBAA000001\n" in output


class TestSync:
    async def test_applied_changes_are_printed(self, new_deployment):
        answer = await new_deployment.relay("directory", "sync")
        assert (answer.exit_code, answer.stderr) == (0, "")
        assert answer.stdout.startswith(f"taken: organisations {ORGANISATIONS} new")

    @pytest.mark.parametrize(("flags", "is_full"), [([], False), (["--full"], True)])
    async def test_a_sync_fetches_changes_or_everything(self, deployment, flags, is_full):
        answer = await deployment.relay("directory", "sync", *flags)
        assert (answer.exit_code, answer.stdout) == (0, "nothing changed\n")
        calls = [call for call in deployment.portal.received if call.api_id == "지원-002"]
        assert [call.values["search_timestamp"] == "0" for call in calls] == [is_full]

    async def test_a_failing_portal_is_reported_and_fails(self, deployment):
        deployment.portal.plan_failure("지원-002", "error_500", times=4)
        answer = await deployment.relay("directory", "sync")
        assert (answer.exit_code, answer.stdout) == (1, "")
        assert answer.stderr.startswith("the portal gave no registry: 지원-002: ")
        result = json.loads((await deployment.relay("directory", "sync", "--json")).stdout)
        assert (result["failed"], result["held"]) == (True, False)

    async def test_invalid_data_is_reported_with_its_place(self, deployment):
        deployment.portal.plan_failure("지원-002", "missing_serial")
        answer = await deployment.relay("directory", "sync")
        assert answer.exit_code == 1
        assert answer.stderr.startswith("지원-002 is invalid: 1 problem:\norg_list[")

    async def test_too_many_changes_are_held_with_next_steps(self, deployment):
        answer = await hold_changes(deployment)
        assert answer.stdout.startswith("held until a person releases it: ")
        assert answer.stderr == (
            "see it: relay directory diff; apply it: relay directory release; reject it: relay directory discard\n"
        )
        result = json.loads((await deployment.relay("directory", "sync", "--json")).stdout)
        assert (result["failed"], result["held"]) == (False, True)


class TestDiff:
    async def test_nothing_differs_after_a_sync(self, deployment):
        answer = await deployment.relay("directory", "diff")
        assert (answer.exit_code, answer.stdout) == (0, "nothing differs\n")

    async def test_portal_changes_are_shown_and_not_applied(self, deployment, ledger):
        deployment.registry.change(OPERATOR, name="다른이름")
        deployment.registry.remove_service("ZOPA000002SVC01")
        answer = await deployment.relay("directory", "diff")
        assert answer.stdout.splitlines() == [
            f"~ organisation {OPERATOR} 다른이름: name 모아보기마이데이터 -> 다른이름",
            "- service ZOPA000002SVC01 한눈에",
        ]
        assert answer.exit_code == 0
        assert (await ledger.registry.registry()).organisations[OPERATOR].name == "모아보기마이데이터"

    async def test_a_changed_secret_is_reported_and_not_shown(self, deployment):
        service = deployment.registry.services["ZOPA000001SVC01"]
        deployment.registry.put_service(replace(service, client_secret="n" * 40))
        deployment.secrets.append("n" * 40)
        answer = await deployment.relay("directory", "diff")
        assert answer.stdout == "~ service ZOPA000001SVC01 모아보기; another secret\n"

    async def test_held_changes_are_shown_with_their_reasons(self, deployment):
        await hold_changes(deployment)
        answer = await deployment.relay("directory", "diff")
        assert answer.exit_code == 1
        assert answer.stdout.startswith("held since 20")
        assert (
            f"of {ORGANISATIONS} organisations would be cut off, re-keyed, redirected or re-timed within 7 days"
            in answer.stdout
        )
        assert f"- organisation {OPERATOR} 모아보기마이데이터\n" in answer.stdout
        result = json.loads((await deployment.relay("directory", "diff", "--json")).stdout)
        assert set(result) == {"held_since", "reasons", "changes"}
        assert "changes are held since 20" in (await deployment.relay("directory", "show")).stdout

    async def test_an_unavailable_portal_gives_no_difference(self, deployment):
        deployment.portal.plan_failure("지원-002", "garbage", times=2)
        answer = await deployment.relay("directory", "diff")
        assert (answer.exit_code, answer.stdout) == (1, "")
        assert answer.stderr.startswith("the portal gave no registry: ")


class TestRelease:
    async def test_a_release_needs_held_changes(self, deployment):
        answer = await deployment.relay("directory", "release", "--yes")
        assert (answer.exit_code, answer.stderr) == (2, "no changes are held\n")

    async def test_an_unconfirmed_release_applies_nothing(self, deployment, ledger):
        await hold_changes(deployment)
        answer = await deployment.relay("directory", "release", typed="n\n")
        assert answer.exit_code == 1
        assert f"of {ORGANISATIONS} organisations would be cut off" in answer.stderr
        assert OPERATOR in (await ledger.registry.registry()).organisations
        assert await ledger.registry.held() is not None

    async def test_a_confirmed_release_applies_the_changes(self, deployment, ledger):
        await hold_changes(deployment)
        answer = await deployment.relay("directory", "release", typed="y\n")
        assert answer.exit_code == 0
        assert answer.stdout.endswith(" changes applied; gateways use them within a second\n")
        assert OPERATOR not in (await ledger.registry.registry()).organisations
        assert await ledger.registry.held() is None

    async def test_json_of_a_release_has_the_number_of_changes(self, deployment):
        await hold_changes(deployment)
        answer = await deployment.relay("directory", "release", "--yes", "--json")
        result = json.loads(answer.stdout)
        assert (answer.exit_code, result["number"]) == (0, ORGANISATIONS + SERVICES + result["released"])

    async def test_changes_replaced_by_a_later_sync_are_not_applied(self, deployment, ledger, monkeypatch):
        await hold_changes(deployment)

        def replace_hold(*_, **__):
            with sqlite3.connect(deployment.path.parent / "ledger.db") as other:
                other.execute("UPDATE registry_held SET hold_id = 'later'")
            other.close()

        monkeypatch.setattr("click.confirm", replace_hold)
        answer = await deployment.relay("directory", "release")
        assert answer.exit_code == 1
        assert answer.stderr.endswith("it is not held any more: a later sync replaced it; see relay directory diff\n")
        assert OPERATOR in (await ledger.registry.registry()).organisations


class TestDiscard:
    async def test_a_discard_needs_held_changes(self, deployment):
        answer = await deployment.relay("directory", "discard", "--reason", "wrong", "--yes")
        assert (answer.exit_code, answer.stderr) == (2, "no changes are held\n")

    @pytest.mark.parametrize("reason", [[], ["--reason", " "], ["--reason", "two\nlines"], ["--reason", "x" * 201]])
    async def test_without_a_reason_nothing_is_discarded(self, deployment, ledger, reason):
        await hold_changes(deployment)
        answer = await deployment.relay("directory", "discard", *reason, "--yes")
        assert answer.exit_code == 2
        assert "--reason" in answer.stderr
        assert await ledger.registry.held() is not None

    async def test_an_unconfirmed_discard_discards_nothing(self, deployment, ledger):
        await hold_changes(deployment)
        answer = await deployment.relay("directory", "discard", "--reason", "wrong", typed="n\n")
        assert answer.exit_code == 1
        assert f"- organisation {OPERATOR} " in answer.stderr
        assert await ledger.registry.held() is not None

    async def test_discarded_changes_are_skipped_and_others_applied(self, deployment, ledger):
        await hold_changes(deployment)
        answer = await deployment.relay("directory", "discard", "--reason", "half a list", typed="y\n")
        assert (answer.exit_code, answer.stdout) == (0, "6 changes discarded; syncs skip them for 7 days\n")
        assert await ledger.registry.held() is None
        deployment.registry.change("ZOPA000002", name="새 이름")
        answer = await deployment.relay("directory", "sync", "--full")
        assert answer.stdout == (
            "taken: organisations 0 new, 1 changed, 0 gone; services 0 new, 0 changed, 0 gone; "
            "6 changes left out, discarded: half a list\n"
        )
        registry = await ledger.registry.registry()
        assert (OPERATOR in registry.organisations, f"{OPERATOR}SVC01" in registry.services) == (True, True)
        result = json.loads((await deployment.relay("directory", "show", "--json")).stdout)
        assert [(each["reason"], each["changes"]) for each in result["discarded"]] == [("half a list", 6)]
        assert "discarded 20" in (await deployment.relay("directory", "show")).stdout

    async def test_changes_replaced_by_a_later_sync_are_not_discarded(self, deployment, ledger, monkeypatch):
        await hold_changes(deployment)

        def replace_hold(*_, **__):
            with sqlite3.connect(deployment.path.parent / "ledger.db") as other:
                other.execute("UPDATE registry_held SET hold_id = 'later'")
            other.close()

        monkeypatch.setattr("click.confirm", replace_hold)
        answer = await deployment.relay("directory", "discard", "--reason", "wrong")
        assert answer.exit_code == 1
        assert answer.stderr.endswith("it is not held any more: a later sync replaced it; see relay directory diff\n")
        assert await ledger.registry.held() is not None


@pytest.mark.parametrize("args", COMMANDS, ids=lambda args: args[0])
async def test_each_command_needs_a_portal(deployment, args):
    deployment.without_portal()
    answer = await deployment.relay("directory", *args)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("no portal is configured: operators come from directory.yaml")


@pytest.mark.parametrize("args", [[], *COMMANDS], ids=lambda args: args[0] if args else "group")
def test_help_describes_the_command(args):
    answer = CliRunner().invoke(main, ["directory", *args[:1], "--help"])
    assert answer.exit_code == 0
    assert ("Examples:" in answer.stdout and "Exit code 0" in answer.stdout) or args
