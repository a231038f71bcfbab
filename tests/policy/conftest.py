"""The registry during a series of syncs, as the guard accepts them."""

from dataclasses import replace

import pytest

from relay.domain.registry import Cause, FormerValue, Registry, RegistryHistory
from relay.policy.registry.guard import judge
from relay.policy.settings.portal import Guard

NOW = 1_800_000_000
RELAY = "RLAY000001"


class Week:
    """A registry during syncs: changes that the guard accepts are applied, held changes only when they are released."""

    def __init__(self, known, guard=None):
        self.now, self.guard, self.registry = NOW, guard or Guard(), known
        self.organisations, self.services, self.log = {}, {}, []

    @property
    def past(self):
        return RegistryHistory(self.organisations, self.services)

    def sync(self, changes, *, released=False):
        """Applies the changes unless the guard holds them. Returns whether they were applied."""
        verdict = judge(self.registry, changes, self.past, self.guard, RELAY, self.now)
        if verdict.reasons and not released:
            return False
        before = self.registry
        pairs = ((before.organisations, changes.organisations, self.organisations, verdict.counted.organisations),)
        pairs += ((before.services, changes.services, self.services, verdict.counted.services),)
        for known, new, past, counted in pairs:
            for name in new:
                cause = Cause.RELEASED if released else Cause.COUNTED if name in counted else Cause.SYNC
                past.setdefault(name, []).append(FormerValue(self.now, known.get(name), cause))
        self.registry = Registry(_with(before.organisations, changes.organisations), _with(before.services, {}), 1)
        self.registry = replace(self.registry, services=_with(before.services, changes.services))
        self.log.append((self.now, before, changes, released))
        return True


def _with(known, new):
    return {name: row for name, row in {**known, **new}.items() if row is not None}


@pytest.fixture(scope="session")
def week_of():
    """Returns a factory for a series of syncs: `week_of(registry, guard)`."""
    return Week
