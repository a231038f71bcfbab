import asyncio
import hmac
import threading
from dataclasses import replace

import pytest

from relay.domain.jobs import Superseded
from relay.domain.portal import PortalAway, PortalRefused
from relay.domain.registry import Held, Registry
from relay.jobs import sync
from relay.jobs.sync import Sync, SyncFailed
from relay.policy.portal import Guard

RELAY = "RLAY000001"
FIRST, SECOND, THIRD = "20240101000000", "20240102000000", "20240103000000"


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

    async def registry(self):
        return self.now

    async def held(self):
        return self.kept

    async def take(self, changes, fence, now):
        self._written("take", fence)
        organisations, services = dict(self.now.organisations), dict(self.now.services)
        for standing, told in ((organisations, changes.organisations), (services, changes.services)):
            standing.update(told)
            for key in [key for key, new in standing.items() if new is None]:
                del standing[key]
        number = self.now.number + len(changes.organisations) + len(changes.services)
        stamps = (changes.orgs_timestamp, changes.services_timestamp)
        self.now, self.kept = Registry(organisations, services, number, *stamps, now), None
        return number

    async def hold(self, changes, reasons, fence, now):
        self._written("hold", fence)
        self.kept = Held("hold", self.kept.since if self.kept else now, changes, reasons)
        return self.kept

    def _written(self, what, fence):
        if fence < self.fence:
            raise Superseded
        self.written.append(what)


class Hasher:
    """Hashes fast and counts; a mark is an HMAC as it should be."""

    def __init__(self):
        self.hashed_secrets = []

    def mark(self, client_id, secret):
        return hmac.digest(b"key", f"{client_id}\0{secret}".encode(), "sha256")

    async def hashed(self, secrets):
        self.hashed_secrets += secrets
        return [f"$hash${len(self.hashed_secrets)}${at}" for at, _ in enumerate(secrets)]


class Room:
    """A sync with all that it talks to."""

    def __init__(self):
        self.portal, self.book, self.hasher = ScriptedPortal(), Book(), Hasher()
        self.sync = Sync(self.portal, self.book, self.hasher, Guard(), RELAY)

    async def run(self, *, full=False, fence=1, now=100):
        return await self.sync.run(full=full, fence=fence, now=now)

    async def failed(self, **how):
        with pytest.raises(SyncFailed) as caught:
            await self.run(**how)
        assert "secretOf" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def room():
    return Room()


@pytest.fixture
async def known(room):
    """A room where a first sync was taken; the portal has nothing new."""
    await room.run()
    room.portal.asked.clear()
    room.book.written.clear()
    room.hasher.hashed_secrets.clear()
    room.portal.orgs = room.portal.services_body = body(stamp=SECOND)
    return room


async def test_the_first_sync_asks_for_everything_and_takes_it(room):
    assert await room.run() == "taken: organisations 2 new, 0 changed, 0 gone; services 2 new, 0 changed, 0 gone"
    assert room.portal.asked == [("002", "0"), ("003", "0")]
    registry = room.book.now
    assert set(registry.organisations) == {"OPER000001", "OPER000002"}
    assert (registry.orgs_timestamp, registry.services_timestamp, registry.synced_at) == (FIRST, FIRST, 100)
    one = registry.services["client1x0"]
    assert (one.operator, one.secret_hash, one.secret_mark) == (
        "OPER000001",
        "$hash$2$0",
        room.hasher.mark("client1x0", "secretOfOperator1"),
    )
    assert "secretOfOperator1" not in str(registry)


async def test_the_next_sync_asks_for_what_changed_since(known):
    assert await known.run(now=200) == "nothing changed"
    assert known.portal.asked == [("002", FIRST), ("003", FIRST)]
    assert known.book.written == ["take"]
    assert (known.book.now.orgs_timestamp, known.book.now.synced_at) == (SECOND, 200)


async def test_a_full_sync_asks_for_everything_whatever_was_heard(known):
    known.portal.orgs, known.portal.services_body = body(org(1), org(2)), SERVICES
    assert await known.run(full=True) == "nothing changed"
    assert known.portal.asked == [("002", "0"), ("003", "0")]
    assert known.hasher.hashed_secrets == []


async def test_a_delta_changes_what_it_tells_and_nothing_else(known):
    known.portal.orgs = body(org(1, op_type="M", org_name="새 이름"), org(2, op_type="D"), stamp=SECOND)
    assert await known.run() == "taken: organisations 0 new, 1 changed, 1 gone; services 0 new, 0 changed, 1 gone"
    assert known.book.now.organisations["OPER000001"].name == "새 이름"
    assert set(known.book.now.services) == {"client1x0"}


async def test_only_a_secret_that_changed_is_hashed(known):
    known.portal.services_body = body(services_of(1, "secretOfOperator1"), services_of(2, "newSecretOfOperator2"))
    before = known.book.now.services
    await known.run(full=False)
    assert known.hasher.hashed_secrets == ["newSecretOfOperator2"]
    assert known.book.now.services["client1x0"] == before["client1x0"]
    assert known.book.now.services["client2x0"].secret_hash != before["client2x0"].secret_hash


async def test_for_a_newcomer_that_calls_all_services_are_asked_for(known):
    known.portal.orgs = body(org(3), org(4, org_type="06"), stamp=SECOND)
    known.portal.services_body = body(*SERVICES["org_list"], services_of(3, "secretOfOperator3"))
    assert await known.run() == "taken: organisations 2 new, 0 changed, 0 gone; services 1 new, 0 changed, 0 gone"
    known.portal.orgs = body(org(5, org_type="06"), stamp=THIRD)
    await known.run()
    assert known.portal.asked == [("002", FIRST), ("003", "0"), ("002", SECOND), ("003", FIRST)]


@pytest.mark.parametrize("stamp", ["20231231000000", "0", None, ""])
async def test_after_a_timestamp_that_goes_back_or_is_none_everything_is_asked_for(known, stamp):
    known.portal.orgs = body(stamp=stamp)
    await known.run()
    known.portal.orgs = body(org(1), org(2), stamp=THIRD)
    assert await known.run() == "nothing changed"
    assert known.portal.asked[2:] == [("002", "0"), ("003", SECOND)]
    assert known.book.now.orgs_timestamp == THIRD


@pytest.mark.parametrize(
    ("orgs", "services", "asked", "words"),
    [
        (
            body(org(1, org_type="08")),
            body(),
            1,
            "지원-002 is not fit to be taken: 1 problem:\norg_list[0].org_type: is none",
        ),
        (body(org(1), org_cnt="2"), body(), 1, "org_cnt: says 2, org_list holds 1"),
        (
            body(org(1)),
            body(services_of(1, "secretOf!")),
            2,
            "지원-003 is not fit to be taken: 1 problem:\norg_list[0]",
        ),
        (
            body(org(1)),
            body(services_of(9, "secretOfNobody0000")),
            2,
            "an organisation that the registry does not know",
        ),
        (PortalAway("지원-002: HTTP 500 (5 of 5 attempts)"), body(), 1, "gave no registry: 지원-002: HTTP 500"),
        (body(org(1)), PortalAway("지원-003: no connection"), 2, "gave no registry: 지원-003: no connection"),
        (body(org(1)), PortalRefused(403, "40301"), 2, "gave no registry: HTTP 403, rsp_code 40301"),
    ],
)
async def test_what_is_not_fit_is_told_and_nothing_is_written(known, orgs, services, asked, words):
    before = known.book.now
    known.portal.orgs, known.portal.services_body = orgs, services
    assert words in await known.failed()
    assert len(known.portal.asked) == asked
    assert (known.book.now, known.book.written) == (before, [])


async def test_a_report_tells_a_hundred_problems_and_counts_all(room):
    room.portal.orgs = body(*(org(number, serial_num=None) for number in range(150)))
    said = (await room.failed()).splitlines()
    assert said[0] == "지원-002 is not fit to be taken: 150 problems, the first 100:"
    assert said[1] == "org_list[0].serial_num: is missing (org_type 03)"
    assert len(said) == 101


async def test_a_sync_that_changes_too_much_is_held_and_asked_for_again(known):
    known.portal.orgs = body(org(1, serial_num="other", ip_list=[{"ip": "192.0.2.9"}]), stamp=SECOND)
    before = known.book.now
    words = "serial_num and addresses would change at once: OPER000001"
    assert await known.run(now=200) == f"held until a person releases it: {words}"
    assert known.book.now == before
    assert (known.book.kept.since, known.book.kept.reasons) == (200, (words,))
    assert known.book.kept.changes.orgs_timestamp == SECOND
    await known.run(now=300)
    assert known.portal.asked[2:] == [("002", FIRST), ("003", FIRST)]
    assert known.book.kept.since == 200


async def test_what_was_held_is_taken_when_it_is_harmless_by_then(known):
    known.portal.orgs = body(org(1, serial_num="other", ip_list=[{"ip": "192.0.2.9"}]), stamp=SECOND)
    await known.run()
    known.portal.orgs = body(org(1, serial_num="other"), stamp=THIRD)
    assert (await known.run()).startswith("taken: organisations 0 new, 1 changed, 0 gone")
    assert known.book.kept is None
    assert known.book.now.orgs_timestamp == THIRD


async def test_what_is_held_twice_is_hashed_once_and_stays_the_same(known):
    known.portal.orgs = body(org(1, serial_num="other", ip_list=[{"ip": "192.0.2.9"}]), stamp=SECOND)
    known.portal.services_body = body(services_of(1, "newSecretOfOperator1"), stamp=SECOND)
    await known.run()
    first = known.book.kept.changes
    await known.run()
    assert known.hasher.hashed_secrets == ["newSecretOfOperator1"]
    assert known.book.kept.changes == first


async def test_a_leader_that_was_superseded_writes_nothing(known):
    known.book.fence, before = 2, known.book.now
    with pytest.raises(Superseded):
        await known.run(fence=1)
    assert known.book.now == before


async def test_syncs_take_turns(known):
    """One that heard earlier must not undo what another took since."""
    known.portal.orgs = body(org(1), org(2), stamp=SECOND)
    known.portal.services_body = SERVICES
    await asyncio.gather(known.run(full=True), known.run(), known.run(full=True))
    assert [api for api, _ in known.portal.asked] == ["002", "003"] * 3
    assert known.portal.asked[2:4] == [("002", SECOND), ("003", FIRST)]


async def test_a_look_ahead_tells_the_whole_difference_and_writes_nothing(known):
    known.portal.orgs = body(org(1))
    known.portal.services_body = body(services_of(1, "secretOfOperator1"))
    changes = await known.sync.ahead()
    assert known.portal.asked == [("002", "0"), ("003", "0")]
    assert (changes.organisations, changes.services) == ({"OPER000002": None}, {"client2x0": None})
    assert known.book.written == []


async def test_the_loop_is_not_what_reads_long_lists(known, monkeypatch):
    seen = []
    for name in ("read_organisations", "read_services", "changes_of", "reasons"):
        real = getattr(sync, name)

        def noted(*given, real=real, name=name):
            seen.append((name, threading.current_thread() is threading.main_thread()))
            return real(*given)

        monkeypatch.setattr(sync, name, noted)
    known.portal.orgs = body(org(1, op_type="M", org_name="새 이름"), stamp=SECOND)
    await known.run()
    assert seen == [(name, False) for name in ("read_organisations", "read_services", "changes_of", "reasons")]


async def test_a_service_without_a_mark_is_hashed_anew(known):
    one = replace(known.book.now.services["client1x0"], secret_mark=b"")
    known.book.now = replace(known.book.now, services={"client1x0": one})
    known.portal.services_body = body(services_of(1, "secretOfOperator1"), stamp=SECOND)
    await known.run()
    assert known.hasher.hashed_secrets == ["secretOfOperator1"]
