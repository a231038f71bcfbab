"""Keys change while the ledger is in use: the new one in front, everything sealed anew, the old one away."""

import asyncio

import pytest
import pytest_asyncio

from relay.domain.ledger import Evidence
from relay.infra.ledger import schema
from relay.infra.ledger.database.sealing import CustomerKey, SealBroken, Sealer
from relay.infra.ledger.sql_ledger import open_ledger

OLD = CustomerKey("old", b"1" * 32)
NEW = CustomerKey("new", b"2" * 32)


@pytest_asyncio.fixture
async def under(url):
    """The same ledger, which knows the old key, under other keys."""
    await schema.upgrade(url, Sealer([OLD]))
    opened = []

    async def make(*keys):
        opened.append(await open_ledger(url, Sealer(keys), 5))
        return opened[-1]

    yield make
    for ledger in opened:
        await ledger.close()


async def filled(ledger, desk):
    """Something of everything that is sealed: 4 blobs of a consent, 1 of its evidence, 2 of a request."""
    consent = desk.consent()
    pair = desk.pair(consent)
    await ledger.issue_integrated(consent, pair, [], [Evidence("password", b"signed")], desk.now)
    request = desk.request(desk.consent(ci="ci-two"))
    await ledger.open_request(request)
    return consent, pair, request


async def test_after_it_the_old_key_is_not_needed(under, desk):
    consent, pair, request = await filled(await under(OLD), desk)
    assert await (await under(NEW, OLD)).reseal() == (7, ("new",), ())
    alone = await under(NEW)
    assert await alone.consent_behind(pair.access.jti) == (pair.access, consent)
    assert await alone.consent_of(consent.ci, consent.client_id, consent.provider) == consent
    assert await alone.request(request.request_id, None, desk.now) == request
    assert await alone.reseal() == (0, (), ("old",))


async def test_before_it_both_keys_do(under, desk):
    consent, pair, _ = await filled(await under(OLD), desk)
    both = await under(NEW, OLD)
    assert await both.consent_behind(pair.access.jti) == (pair.access, consent)
    assert await both.consent_of(consent.ci, consent.client_id, consent.provider) == consent


async def test_evidence_opens_under_the_new_key(under, desk, sealer):
    consent, _, _ = await filled(await under(OLD), desk)
    ledger = await under(NEW, OLD)
    await ledger.reseal()
    async with ledger._works.reading() as rows:
        blob = (await rows.exec_driver_sql("SELECT content FROM evidence")).scalar_one()
    assert Sealer([NEW]).unseal(blob, f"evidence of a consent:0:{consent.consent_id}") == b"signed"


async def test_a_consent_under_the_old_key_is_replaced_by_one_under_the_new(under, desk, url, sql):
    await desk.issued(await under(OLD))
    await desk.issued(await under(NEW, OLD))
    assert sorted(sql(url, "SELECT state FROM consents")) == ["active", "replaced"]


async def test_whatever_stands_in_front_parallel_consents_leave_one_in_force(under, desk, url, sql):
    """Processes are restarted one after the other: for a while they seal under different keys."""
    ledgers = [await under(OLD), await under(OLD, NEW), await under(NEW, OLD)]
    await asyncio.gather(*[desk.issued(ledger) for _ in range(5) for ledger in ledgers[1:]])
    assert sql(url, "SELECT count(*) FROM consents WHERE state = 'active'") == ["1"]


async def test_without_its_key_nothing_is_touched(under, desk):
    consent, pair, _ = await filled(await under(OLD), desk)
    with pytest.raises(SealBroken, match="no customer key 'old'"):
        await (await under(NEW)).reseal()
    assert await (await under(OLD)).consent_behind(pair.access.jti) == (pair.access, consent)


async def test_it_takes_several_turns(under, desk, monkeypatch):
    monkeypatch.setattr("relay.infra.ledger.resealing.BATCH", 2)
    old = await under(OLD)
    for number in range(5):
        await desk.issued(old, desk.consent(ci=f"ci-{number}"))
    assert await (await under(NEW, OLD)).reseal() == (20, ("new",), ())
    for number in range(5):
        assert await (await under(NEW)).consent_of(f"ci-{number}", "svc1", "ZBAA000001")


async def test_the_ledger_is_in_use_meanwhile(under, desk, monkeypatch):
    monkeypatch.setattr("relay.infra.ledger.resealing.BATCH", 3)
    both = await under(NEW, OLD)
    old = await under(OLD)
    for number in range(10):
        await desk.issued(old, desk.consent(ci=f"ci-{number}"))
    await asyncio.gather(both.reseal(), *[desk.issued(both, desk.consent(ci=f"ci-{number}")) for number in range(10)])
    await both.reseal()
    alone = await under(NEW)
    assert all([await alone.consent_of(f"ci-{number}", "svc1", "ZBAA000001") for number in range(10)])
