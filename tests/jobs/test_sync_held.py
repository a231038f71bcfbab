"""What is held back waits for a person, or until all that the portal lists is harmless."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from simulated.sync import FIRST, NOW, SECOND, SERVICES, THIRD, body, org, services_of

from relay.jobs.runner import JobFailed

ANOTHER = org(1, serial_num="other", ip_list=[{"ip": "192.0.2.9"}])
"""What waits for a person."""
LET_GO = "; what was held is let go: all that the portal lists is harmless now"


async def test_a_sync_that_changes_too_much_is_held_and_everything_is_asked_for_then(known):
    known.portal.orgs = body(ANOTHER, stamp=SECOND)
    before = known.book.now
    words = "serial_num and addresses would change at once: OPER000001"
    assert await known.run(now=NOW + 100) == f"held until a person releases it: {words}"
    assert known.book.now == before
    assert (known.book.kept.since, known.book.kept.reasons) == (NOW + 100, (words,))
    assert known.book.kept.changes.orgs_timestamp == SECOND
    known.portal.orgs, known.portal.services_body = body(ANOTHER, org(2)), SERVICES
    assert await known.run(now=NOW + 200) == f"held until a person releases it: {words}"
    assert known.portal.asked[2:] == [("002", "0"), ("003", "0")]
    assert known.book.kept.since == NOW + 100


@pytest.mark.parametrize("full", [True, False])
async def test_an_empty_delta_drops_nothing_that_is_held(known, full):
    """A portal that lost everybody says so in its full list alone; what changed since is nothing (00001)."""
    whole = SimpleNamespace(orgs=body(ANOTHER, org(2)), services=SERVICES)
    known.portal.organisations = answering(known.portal, "002", whole.orgs)
    known.portal.services = answering(known.portal, "003", whole.services)
    first = await known.run(full=True)
    kept = known.book.kept
    for at in range(3):
        assert await known.run(full=full, now=NOW + at) == first
    assert known.book.kept == kept
    whole.orgs["org_list"][0] = org(1)
    assert await known.run() == f"nothing changed{LET_GO}"
    assert known.book.kept is None
    known.portal.asked.clear()
    assert await known.run() == "nothing changed"
    assert known.portal.asked == [("002", FIRST), ("003", FIRST)]


def answering(portal, api, whole):
    """A portal with this full list, in which nothing ever changed."""

    async def asked(since):
        portal.asked.append((api, since))
        return whole if since == "0" else {"rsp_code": "00001", "rsp_msg": "최신"}

    return asked


async def test_what_was_held_is_taken_when_it_is_harmless_by_then(known):
    known.portal.orgs = body(ANOTHER, stamp=SECOND)
    await known.run()
    known.portal.orgs = body(org(1, serial_num="other"), org(2), stamp=THIRD)
    known.portal.services_body = SERVICES
    told = await known.run()
    assert told == f"taken: organisations 0 new, 1 changed, 0 gone; services 0 new, 0 changed, 0 gone{LET_GO}"
    assert known.book.kept is None
    assert known.book.now.orgs_timestamp == THIRD


async def test_what_is_held_twice_is_hashed_once_and_stays_the_same(known):
    known.portal.orgs = body(ANOTHER, org(2), stamp=SECOND)
    known.portal.services_body = body(services_of(1, "newSecretOfOperator1"), SERVICES["org_list"][1], stamp=SECOND)
    await known.run()
    first = known.book.kept.changes
    await known.run()
    assert known.hasher.hashed_secrets == ["newSecretOfOperator1"]
    assert known.book.kept.changes == first


def released_while(room, now):
    """The portal lists everybody again, and a person releases the deletion just before it says so."""

    async def organisations(since):
        room.portal.asked.append(("002", since))
        if room.book.kept is not None:
            room.book.release(now)
        if since in {"0", FIRST}:
            return body(*(org(number) for number in range(1, 6)), stamp=THIRD)
        return {"rsp_code": "00001", "rsp_msg": "최신"}

    room.portal.organisations = organisations
    room.portal.services_body = SERVICES


async def test_a_release_while_a_sync_is_under_way_leaves_relay_and_portal_agreed(room):
    """Else it takes changes that were judged by the registry before, and what the portal took back is lost."""
    room.portal.orgs = body(*(org(number) for number in range(1, 6)))
    await room.run()
    before = room.book.now
    room.portal.orgs = body(*(org(number, op_type="D") for number in range(1, 6)), stamp=SECOND)
    room.portal.services_body = body(stamp=SECOND)
    assert (await room.run()).startswith("held until a person releases it: 5 of 5 organisations")
    released_while(room, NOW)
    room.portal.asked.clear()
    assert await room.run() == "taken: organisations 5 new, 0 changed, 0 gone; services 2 new, 0 changed, 0 gone"
    assert [since for api, since in room.portal.asked if api == "002"] == ["0", "0"]
    assert room.book.kept is None
    assert room.book.now.organisations == before.organisations
    assert set(room.book.now.services) == set(before.services)


async def test_what_is_to_be_held_is_judged_by_the_registry_that_stands(known):
    """One that is released into while a further sync would be held is not held against what was before."""
    known.portal.orgs = body(ANOTHER, org(2), stamp=SECOND)
    known.portal.services_body = SERVICES
    await known.run()

    async def organisations(_):
        if known.book.kept is not None:
            known.book.release(NOW)
        return body(ANOTHER, org(2), stamp=SECOND)

    known.portal.organisations = organisations
    assert await known.run() == "nothing changed"
    assert known.book.kept is None
    assert known.book.now.organisations["OPER000001"].serial_num == "other"


async def test_a_registry_that_changes_each_time_fails_the_sync(known):
    async def organisations(_):
        known.book.now = replace(known.book.now, number=known.book.now.number + 1)
        return body(org(1), org(2))

    known.portal.organisations, known.portal.services_body = organisations, SERVICES
    with pytest.raises(JobFailed, match="changed by others while the portal was asked, 4 times in a row"):
        await known.run(full=True)
    assert known.book.written == []


async def test_a_timestamp_far_ahead_is_not_held_either(known):
    known.portal.orgs = body(ANOTHER, stamp="20991231235959")
    assert (await known.run()).endswith(
        "; the portal's search_timestamp is more than a day ahead: everything is asked for again"
    )
    assert known.book.kept.changes.orgs_timestamp == "0"
