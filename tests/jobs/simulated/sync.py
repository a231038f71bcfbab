"""A sync with everything round it pretended: a portal by script, a book in memory, hashes that cost nothing."""

import hmac

import pytest

from relay.domain.jobs import Superseded
from relay.domain.registry import COUNTS_NONE, Cause, Discarded, Former, Held, Past, Registry, RegistryMoved
from relay.jobs.sync import Sync, SyncFailed
from relay.policy.settings.portal import Guard

RELAY = "RLAY000001"
FIRST, SECOND, THIRD = "20240101000000", "20240102000000", "20240103000000"
NOW = 1_795_370_062
"""2026-11-23 02:54:22 in Korea."""


def org(number, **changed):
    row = {
        "op_type": "I",
        "org_code": f"OPER{number:06}",
        "org_type": "03",
        "org_name": "가상 사업자",
        "serial_num": f"999-81-{number:05}",
        "ip_cnt": "1",
        "ip_list": [{"ip": "192.0.2.1"}],
    }
    return row | changed


def services_of(number, *secrets, op_type="I"):
    rows = [
        {
            "op_type": op_type,
            "service_name": "가상 서비스",
            "client_id": f"client{number}x{at}",
            "client_secret": secret,
            "redirect_uri_cnt": "0",
        }
        for at, secret in enumerate(secrets)
    ]
    return {"org_code": f"OPER{number:06}", "service_cnt": str(len(rows)), "service_list": rows}


def body(*rows, stamp=FIRST, **changed):
    told = {"rsp_code": "00000", "rsp_msg": "성공", "search_timestamp": stamp, "org_cnt": str(len(rows))}
    return told | {"org_list": list(rows)} | changed


SERVICES = body(services_of(1, "secretOfOperator1"), services_of(2, "secretOfOperator2"))


class ScriptedPortal:
    """Tells what stands in `orgs` and `services`; raises what is an error. `asked` are the questions."""

    def __init__(self):
        self.orgs = body(org(1), org(2))
        self.services_body = SERVICES
        self.asked = []

    async def organisations(self, since):
        self.asked.append(("002", since))
        return self._told(self.orgs)

    async def services(self, since):
        self.asked.append(("003", since))
        return self._told(self.services_body)

    async def send_statistics(self, _body):
        raise NotImplementedError

    @staticmethod
    def _told(what):
        if isinstance(what, Exception):
            raise what
        return what


class Book:
    """A RegistryBook in memory; `written` are the calls that would change something."""

    def __init__(self):
        self.now = Registry({}, {})
        self.kept = None
        self.written = []
        self.fence = 0
        self.steps = ({}, {})
        self.thrown_away = []
        self.away, self.forgotten = 0, []

    async def past(self, since):
        recent = [{name: [one for one in kept if one.at > since] for name, kept in each.items()} for each in self.steps]
        return Past(*recent)

    async def discarded(self, since):
        return [one for one in self.thrown_away if one.at > since]

    async def forget_away(self, limit, fence, now):
        self.forgotten.append(limit)
        return self.away

    async def registry(self):
        return self.now

    async def held(self):
        return self.kept

    async def take(self, changes, fence, now, *, judged, counted=COUNTS_NONE):
        self._written("take", fence, judged)
        return self._apply(changes, now, counted)

    def _apply(self, changes, now, counted):
        if self.now.organisations:
            self._note(0, self.now.organisations, changes.organisations, now, counted and counted.organisations)
            self._note(1, self.now.services, changes.services, now, counted and counted.services)
        organisations, services = dict(self.now.organisations), dict(self.now.services)
        for standing, told in ((organisations, changes.organisations), (services, changes.services)):
            standing.update(told)
            for key in [key for key, new in standing.items() if new is None]:
                del standing[key]
        number = self.now.number + len(changes.organisations) + len(changes.services)
        stamps = (changes.orgs_timestamp, changes.services_timestamp)
        self.now, self.kept = Registry(organisations, services, number, *stamps, now), None
        return number

    async def hold(self, changes, reasons, fence, now, *, judged):
        self._written("hold", fence, judged)
        self.kept = Held("hold", self.kept.since if self.kept else now, changes, reasons)
        return self.kept

    def release(self, now):
        """What a person does; the leader's fence is nothing to them."""
        return self._apply(self.kept.changes, now, None)

    def discard(self, changes, reason, now):
        """What another person does."""
        self.thrown_away.insert(0, Discarded(now, reason, changes))
        self.kept = None

    def _note(self, at, standing, told, now, counted):
        for name in told:
            cause = Cause.RELEASED if counted is None else Cause.COUNTED if name in counted else Cause.SYNC
            self.steps[at].setdefault(name, []).append(Former(now, standing.get(name), cause))

    def _written(self, what, fence, judged):
        if fence < self.fence:
            raise Superseded
        if judged != self.now.number:
            raise RegistryMoved
        self.written.append(what)


class Hasher:
    """Hashes fast and counts; a mark is an HMAC as it should be. `same` are secrets that every hash is of."""

    def __init__(self):
        self.hashed_secrets, self.compared = [], []
        self.same, self.key = (), b"key"

    def mark(self, client_id, secret):
        return self.key + hmac.digest(self.key, f"{client_id}\0{secret}".encode(), "sha256")

    def is_comparable(self, mark):
        return mark.startswith(self.key)

    async def hashed(self, secrets):
        self.hashed_secrets += secrets
        return [f"$hash${len(self.hashed_secrets)}${at}" for at, _ in enumerate(secrets)]

    async def fit(self, pairs):
        self.compared += [secret for secret, _ in pairs]
        return [secret in self.same for secret, _ in pairs]


class Room:
    """A sync with all that it talks to."""

    def __init__(self):
        self.portal, self.book, self.hasher = ScriptedPortal(), Book(), Hasher()
        self.sync = Sync(self.portal, self.book, self.hasher, Guard(), RELAY)

    async def run(self, *, full=False, fence=1, now=NOW):
        return await self.sync.run(full=full, fence=fence, now=now)

    async def failed(self, **how):
        with pytest.raises(SyncFailed) as caught:
            await self.run(**how)
        assert "secretOf" not in str(caught.value)
        return str(caught.value)
