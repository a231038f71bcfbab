"""One hostile peer as a separate process. Run it with NAME and WORLD.

It starts with the first line of standard input, prints a line after its first action, and ends with the second line;
then it prints its counters. It runs under SCHED_IDLE, so that it takes no CPU time from the measured load.
"""

import asyncio
import json
import os
import resource
import sys
from pathlib import Path
from typing import Final

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hostile.connections import Attack
from hostile.peers import PEERS
from hostile.world import load_world

POLL_S: Final = 0.005
"""Interval of checks for the first action."""


async def main(name: str, world: Path) -> None:
    """Attacks between two lines of input."""
    attack = Attack(load_world(world))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    task = asyncio.create_task(PEERS[name].attack(attack))
    while not attack.done and not task.done():  # noqa: ASYNC110 - a counter sets no event
        await asyncio.sleep(POLL_S)
    print("began", flush=True)
    waiting = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    attack.stop.set()
    await asyncio.wait({task}, timeout=5)
    print(json.dumps(attack.done), flush=True)
    if task.done():
        task.result()
    os._exit(0)


if __name__ == "__main__":
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], Path(sys.argv[2])))
