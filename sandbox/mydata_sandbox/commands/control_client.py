"""Calls the control API of the sandbox that runs in a folder."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import click

from mydata_sandbox.environment.model import FACTS_FILE, load_facts

TIMEOUT_S: Final = 60


def read_facts(folder: Path) -> dict[str, Any]:
    """Returns the facts of the sandbox in a folder. Raises ClickException when there is none."""
    if not (folder / FACTS_FILE).exists():
        raise click.ClickException(f"no sandbox in {folder}; `mydata-sandbox run` makes one, --dir names another")
    return load_facts(folder)


def call_control(folder: Path, method: str, path: str, values: Mapping[str, str] | None = None) -> str:
    """Returns the text of a response of the control API. Raises ClickException without one, or for a refusal."""
    facts = read_facts(folder)
    if facts["portal"] is None:
        raise click.ClickException(f"the sandbox in {folder} has no control API; `mydata-sandbox run` makes one")
    try:
        status, text = asyncio.run(_call(method, f"{facts['portal']['control']}{path}", values))
    except (aiohttp.ClientError, TimeoutError) as error:
        raise click.ClickException(
            f"no sandbox runs in {folder}: start it with `mydata-sandbox run --dir {folder}` ({error})"
        ) from error
    if status != 200:  # noqa: PLR2004 - HTTP OK
        raise click.ClickException(text.strip())
    return text


async def _call(method: str, url: str, values: Mapping[str, str] | None) -> tuple[int, str]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
        session.request(method, url, data=values) as answer,
    ):
        return answer.status, await answer.text()
