"""The portal's registry under a row of syncs, as the guard lets them pass."""

from dataclasses import replace

import pytest

from relay.domain.registry import Cause, Former, Past, Registry
from relay.policy.registry.guard import judge
from relay.policy.settings.portal import Guard

NOW = 1_800_000_000
RELAY = "RLAY000001"


class Week:
    """A registry under syncs: what the guard lets pass is taken, what it holds is not unless a person releases it."""

    def __init__(self, known, guard=None):
        self.now, self.guard, self.registry = NOW, guard or Guard(), known
        self.organisations, self.services, self.log = {}, {}, []

    @property
    def past(self):
        return Past(self.organisations, self.services)

    def sync(self, changes, *, released=False):
        """Whether it passed."""
        found = judge(self.registry, changes, self.past, self.guard, RELAY, self.now)
        if found.reasons and not released:
            return False
        before = self.registry
        pairs = ((before.organisations, changes.organisations, self.organisations, found.counted.organisations),)
        pairs += ((before.services, changes.services, self.services, found.counted.services),)
        for known, new, past, counted in pairs:
            for name in new:
                cause = Cause.RELEASED if released else Cause.COUNTED if name in counted else Cause.SYNC
                past.setdefault(name, []).append(Former(self.now, known.get(name), cause))
        self.registry = Registry(_with(before.organisations, changes.organisations), _with(before.services, {}), 1)
        self.registry = replace(self.registry, services=_with(before.services, changes.services))
        self.log.append((self.now, before, changes, released))
        return True


def _with(known, new):
    return {name: one for name, one in {**known, **new}.items() if one is not None}


@pytest.fixture(scope="session")
def week_of():
    """Makes a row of syncs: `week_of(registry, guard)`."""
    return Week
