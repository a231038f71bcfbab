"""A sync with fakes: a scripted portal, a registry store in memory, a fast hasher."""

import hmac

import pytest

from relay.domain.jobs import Superseded
from relay.domain.registry import (
    NO_PARTIES,
    Cause,
    Discard,
    FormerValue,
    HeldSync,
    Registry,
    RegistryChanged,
    RegistryHistory,
)
from relay.jobs.sync import RegistrySync, SyncFailed
from relay.policy.settings.portal import Guard

RELAY = "RLAY000001"
FIRST, SECOND, THIRD = "20240101000000", "20240102000000", "20240103000000"
NOW = 1_795_370_062
"""2026-11-23 02:54:22 in Korea."""


def make_org(number, **changed):
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


def make_services(number, *secrets, op_type="I"):
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


def make_body(*rows, stamp=FIRST, **changed):
    fields = {"rsp_code": "00000", "rsp_msg": "성공", "search_timestamp": stamp, "org_cnt": str(len(rows))}
    return fields | {"org_list": list(rows)} | changed


SERVICES = make_body(make_services(1, "secretOfOperator1"), make_services(2, "secretOfOperator2"))


class ScriptedPortal:
    """Answers with `orgs` and `services_body`, or raises them when they are errors. `requests` records the calls."""

    def __init__(self):
        self.orgs = make_body(make_org(1), make_org(2))
        self.services_body = SERVICES
        self.requests = []

    async def organisations(self, since):
        self.requests.append(("002", since))
        return self._answer(self.orgs)

    async def services(self, since):
        self.requests.append(("003", since))
        return self._answer(self.services_body)

    async def send_statistics(self, _body):
        raise NotImplementedError

    @staticmethod
    def _answer(answer):
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeStore:
    """A RegistryStore in memory; `written` lists its writes."""

    def __init__(self):
        self.now = Registry({}, {})
        self.held_sync = None
        self.written = []
        self.fence = 0
        self.steps = ({}, {})
        self.discards = []
        self.orphaned_consents, self.limits = 0, []

    async def past(self, since):
        recent = [
            {name: [step for step in steps if step.at > since] for name, steps in all_steps.items()}
            for all_steps in self.steps
        ]
        return RegistryHistory(*recent)

    async def discarded(self, since):
        return [discard for discard in self.discards if discard.at > since]

    async def end_orphaned_consents(self, limit, fence, now):
        self.limits.append(limit)
        return self.orphaned_consents

    async def registry(self):
        return self.now

    async def held(self):
        return self.held_sync

    async def apply(self, changes, fence, now, *, judged, counted=NO_PARTIES):
        self._check_and_record("take", fence, judged)
        return self._apply(changes, now, counted)

    def _apply(self, changes, now, counted):
        if self.now.organisations:
            self._add_history(0, self.now.organisations, changes.organisations, now, counted and counted.organisations)
            self._add_history(1, self.now.services, changes.services, now, counted and counted.services)
        organisations, services = dict(self.now.organisations), dict(self.now.services)
        for current, changed in ((organisations, changes.organisations), (services, changes.services)):
            current.update(changed)
            for key in [key for key, value in current.items() if value is None]:
                del current[key]
        number = self.now.number + len(changes.organisations) + len(changes.services)
        stamps = (changes.orgs_timestamp, changes.services_timestamp)
        self.now, self.held_sync = Registry(organisations, services, number, *stamps, now), None
        return number

    async def hold(self, changes, reasons, fence, now, *, judged):
        self._check_and_record("hold", fence, judged)
        self.held_sync = HeldSync("hold", self.held_sync.since if self.held_sync else now, changes, reasons)
        return self.held_sync

    def release(self, now):
        """Releases the held sync; the leader's fence does not matter."""
        return self._apply(self.held_sync.changes, now, None)

    def discard(self, changes, reason, now):
        """Discards the held sync."""
        self.discards.insert(0, Discard(now, reason, changes))
        self.held_sync = None

    def _add_history(self, index, current, changed, now, counted):
        for name in changed:
            cause = Cause.RELEASED if counted is None else Cause.COUNTED if name in counted else Cause.SYNC
            self.steps[index].setdefault(name, []).append(FormerValue(now, current.get(name), cause))

    def _check_and_record(self, action, fence, judged):
        if fence < self.fence:
            raise Superseded
        if judged != self.now.number:
            raise RegistryChanged
        self.written.append(action)


class Hasher:
    """Hashes fast and records calls; a mark is a real HMAC. `same` are secrets that match every hash."""

    def __init__(self):
        self.hashed_secrets, self.compared = [], []
        self.same, self.key = (), b"key"

    def mark(self, client_id, secret):
        return self.key + hmac.digest(self.key, f"{client_id}\0{secret}".encode(), "sha256")

    def is_comparable(self, mark):
        return mark.startswith(self.key)

    async def hash_all(self, secrets):
        self.hashed_secrets += secrets
        return [f"$hash${len(self.hashed_secrets)}${at}" for at, _ in enumerate(secrets)]

    async def match(self, pairs):
        self.compared += [secret for secret, _ in pairs]
        return [secret in self.same for secret, _ in pairs]


class SyncHarness:
    """A sync with fakes."""

    def __init__(self):
        self.portal, self.store, self.hasher = ScriptedPortal(), FakeStore(), Hasher()
        self.sync = RegistrySync(self.portal, self.store, self.hasher, Guard(), RELAY)

    async def run(self, *, full=False, fence=1, now=NOW):
        return await self.sync.run(full=full, fence=fence, now=now)

    async def run_failing(self, **options):
        with pytest.raises(SyncFailed) as caught:
            await self.run(**options)
        assert "secretOf" not in str(caught.value)
        return str(caught.value)
