"""Waits until the relay knows an operator."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

REGISTRATION_S: Final = 20.0
"""Seconds in which a relay that runs must load its registry."""

POLL_S: Final = 0.05


async def wait_for_registration(check: Callable[[], Awaitable[str]]) -> str:
    """Waits until the relay has loaded its registry. Returns "" or, after a timeout, the last error of `check`."""
    deadline = time.monotonic() + REGISTRATION_S
    while True:
        problem = await check()
        if not problem or time.monotonic() > deadline:
            return problem
        await asyncio.sleep(POLL_S)


def describe_problem(org_code: str, problem: str) -> str:
    """Returns why the relay did not accept an operator. A problem without an HTTP status is one of the connection."""
    if problem.startswith("HTTP "):
        return f"the relay does not know the operator {org_code}: {problem}"
    return f"the relay does not answer: {problem}"
