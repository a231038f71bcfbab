"""Runs states one after the other, each in a folder of its own and with its own deadline."""

import asyncio
import json
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from chaos.row import Row
from chaos.table import State
from relay.infra.dns.event_loop import new_event_loop

OUT = Path(__file__).with_name("out")
LATEST = OUT / "latest.json"


async def run_state(state: State, *, judges_time: bool = True) -> Row:
    """Produces one state. A failure or a deadline that passed is a problem of its row."""
    row, started = Row(state.name, judges_time=judges_time), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))  # short: a socket's path has 107 characters at most
    folder.chmod(0o755)  # PostgreSQL is run by another user
    try:
        async with asyncio.timeout(state.deadline_s):
            await state.produce(row, folder)
    except TimeoutError:
        row.problems.append(f"the row took longer than {state.deadline_s:.0f} s, or waited in vain")
        _save_trace(state.name)
    except Exception as error:  # any failure belongs into the row; the other rows go on
        row.problems.append(f"{type(error).__name__}: {str(error)[:300]}")
        _save_trace(state.name)
    finally:
        _save_outputs(state.name, folder)
        shutil.rmtree(folder, ignore_errors=True)
    row.figures["seconds"] = round(time.monotonic() - started, 1)
    return row


def _save_trace(name: str) -> None:
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.trace").write_text(traceback.format_exc())


def _save_outputs(name: str, folder: Path) -> None:
    """Keeps the logs of the relay for the person who reads a row that failed."""
    OUT.mkdir(exist_ok=True)
    logs = sorted(folder.glob("**/*.output"))
    (OUT / f"{name}.log").write_text("".join(f"== {log.name}\n{log.read_text(errors='replace')}" for log in logs))


def run_states(states: Iterable[State], report: Callable[[Row], None]) -> list[Row]:
    """Runs states in their order; `report` gets each row when it is complete."""
    rows = []
    for state in states:
        for old in OUT.glob(f"{state.name}.*"):
            old.unlink()
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            row = runner.run(run_state(state))
        rows.append(row)
        report(row)
    return rows


def describe_rows(rows: Iterable[Row]) -> dict[str, Any]:
    """Returns the content of `latest.json`."""
    return {"rows": [row.describe() for row in rows]}


def save_rows(rows: Iterable[Row], path: Path = LATEST) -> None:
    """Writes the rows into `tests/chaos/out/latest.json`."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(describe_rows(rows), indent=2, ensure_ascii=False) + "\n")
