"""Bad peers in turn, each for a short time, so that they take little CPU time."""

import asyncio
import itertools
from collections import Counter
from typing import Final

from hostile.connections import Attack
from hostile.peers import PEERS
from hostile.world import World

ACTIVE_S: Final = 0.3
PAUSE_S: Final = 2.7
NAMES: Final = (
    "foreign-certificates",
    "unread-stderr",
    "malformed-requests",
    "hang-ups",
    "slow-heads",
    "foreign-server-names",
    "connect-call-close",
    "unregistered-serial",
    "idle-gateway",
    "wrong-secrets",
    "bad-tokens",
    "never-reads",
    "random-paths",
    "idle-pages",
    "large-lists",
    "unknown-clients",
    "idle-admin",
    "silent-certifier",
)
"""Peers of hostile/peers.py; here "unread-stderr" only sends bytes that are no TLS."""


async def run_bad_peers(world: World, stop: asyncio.Event, done: Counter[str]) -> None:
    """Lets each peer act for a short time until `stop` is set; counts in `done` what they did."""
    for name in itertools.cycle(NAMES):
        if stop.is_set():
            return
        attack = Attack(world)
        acting = asyncio.create_task(PEERS[name].attack(attack))
        await asyncio.sleep(ACTIVE_S)
        attack.stop.set()
        await acting
        done[name] += attack.done.total()
        await asyncio.sleep(PAUSE_S)
