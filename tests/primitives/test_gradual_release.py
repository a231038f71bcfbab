"""Tests of objects that are freed in portions."""

import asyncio
import weakref

from relay.primitives.gradual_release import PORTION, release_gradually


class Part:
    """An object that can be observed."""


async def test_a_turn_of_the_loop_frees_one_portion():
    objects = [Part() for _ in range(3 * PORTION)]
    observed = [weakref.ref(each) for each in objects]
    releasing = asyncio.create_task(release_gradually(objects))
    counts = []
    while not releasing.done():
        await asyncio.sleep(0)
        counts.append(sum(each() is not None for each in observed))
    assert counts[:3] == [2 * PORTION, PORTION, 0]
    assert objects == []
