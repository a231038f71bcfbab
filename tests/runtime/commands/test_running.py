"""Errors of a process become one line and exit code 2."""

import logging

import pytest

from relay.domain.ledger import LedgerDown
from relay.runtime.commands.running import quiet_libraries, run_process
from relay.runtime.processes.supervisor import ChildNotReady
from relay.runtime.settings.loading import SettingsError, SettingsProblem


async def fail(error):
    raise error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SettingsError([SettingsProblem("relay.yaml", "admin.port", "is too small", "1")], []),
         "relay.yaml: admin.port: is too small; expected: 1"),
        (ChildNotReady("a process ended with status 2"), "relay: a process ended with status 2"),
        (OSError(13, "Permission denied", "/x"), "relay: /x: Permission denied"),
        (OSError("no port"), "relay: no port"),
    ],
)  # fmt: skip
def test_an_expected_error_is_one_line(error, line, capsys):
    with pytest.raises(SystemExit) as ended:
        run_process(fail(error))
    assert (ended.value.code, capsys.readouterr().err) == (2, f"{line}\n")


def test_an_unreachable_ledger_is_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        run_process(fail(LedgerDown("refused")))
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_another_error_is_raised():
    with pytest.raises(ZeroDivisionError):
        run_process(fail(ZeroDivisionError()))


def test_libraries_log_warnings_only():
    quiet_libraries()
    assert not logging.getLogger("aiosqlite").isEnabledFor(logging.INFO)
