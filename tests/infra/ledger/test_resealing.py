"""Keys are rotated while the ledger is in use: add a new first key, reseal everything, remove the old key."""

import asyncio

import pytest
import pytest_asyncio

from relay.domain.ledger import Evidence
from relay.infra.ledger import schema, upgrading
from relay.infra.ledger.database.sealing import CustomerKey, Sealer, UnsealError
from relay.infra.ledger.sql_ledger import create_ledger

OLD = CustomerKey("old", b"1" * 32)
NEW = CustomerKey("new", b"2" * 32)


@pytest_asyncio.fixture
async def open_with_keys(url):
    """Opens a ledger that knows the old key with other keys."""
    await upgrading.upgrade(url, Sealer([OLD]))
    opened = []

    async def open_with(*keys):
        opened.append(create_ledger(url, Sealer(keys), 5))
        return opened[-1]

    yield open_with
    for ledger in opened:
        await ledger.close()


async def fill(ledger, factory):
    """Stores every kind of blob: 4 of a consent, 1 of its evidence, 2 of a request."""
    consent = factory.build_consent()
    pair = factory.build_pair(consent)
    await ledger.issue_integrated(consent, pair, [], [Evidence("password", b"signed")], factory.now)
    request = factory.build_request(factory.build_consent(ci="ci-two"))
    await ledger.open_request(request)
    return consent, pair, request


async def test_the_old_key_is_not_needed_after_resealing(open_with_keys, factory):
    consent, pair, request = await fill(await open_with_keys(OLD), factory)
    assert await (await open_with_keys(NEW, OLD)).reseal() == (7, ("new",), ())
    ledger = await open_with_keys(NEW)
    assert await ledger.find_token_and_consent(pair.access.jti) == (pair.access, consent)
    assert await ledger.find_consent(consent.ci, consent.client_id, consent.provider) == consent
    assert await ledger.load_request(request.request_id, None, factory.now) == request
    assert await ledger.reseal() == (0, (), ("old",))


async def test_both_keys_work_before_resealing(open_with_keys, factory):
    consent, pair, _ = await fill(await open_with_keys(OLD), factory)
    both = await open_with_keys(NEW, OLD)
    assert await both.find_token_and_consent(pair.access.jti) == (pair.access, consent)
    assert await both.find_consent(consent.ci, consent.client_id, consent.provider) == consent


async def test_evidence_is_resealed(open_with_keys, factory, url):
    consent, _, _ = await fill(await open_with_keys(OLD), factory)
    ledger = await open_with_keys(NEW, OLD)
    await ledger.reseal()
    async with schema.begin_exclusive(url) as connection:
        blob = (await connection.exec_driver_sql("SELECT content FROM evidence")).scalar_one()
    assert Sealer([NEW]).unseal(blob, f"evidence of a consent:0:{consent.consent_id}") == b"signed"


async def test_a_consent_under_the_old_key_is_replaced(open_with_keys, factory, url, sql):
    await factory.issue(await open_with_keys(OLD))
    await factory.issue(await open_with_keys(NEW, OLD))
    assert sorted(sql(url, "SELECT state FROM consents")) == ["active", "replaced"]


async def test_parallel_consents_under_different_keys_leave_one_active(open_with_keys, factory, url, sql):
    """During a rolling restart processes seal under different keys."""
    ledgers = [await open_with_keys(OLD), await open_with_keys(OLD, NEW), await open_with_keys(NEW, OLD)]
    await asyncio.gather(*[factory.issue(ledger) for _ in range(5) for ledger in ledgers[1:]])
    assert sql(url, "SELECT count(*) FROM consents WHERE state = 'active'") == ["1"]


async def test_nothing_is_resealed_without_the_old_key(open_with_keys, factory):
    consent, pair, _ = await fill(await open_with_keys(OLD), factory)
    with pytest.raises(UnsealError, match="no customer key 'old'"):
        await (await open_with_keys(NEW)).reseal()
    assert await (await open_with_keys(OLD)).find_token_and_consent(pair.access.jti) == (pair.access, consent)


async def test_many_blobs_are_resealed_in_several_transactions(open_with_keys, factory, monkeypatch):
    monkeypatch.setattr("relay.infra.ledger.resealing.BATCH", 2)
    old = await open_with_keys(OLD)
    for number in range(5):
        await factory.issue(old, factory.build_consent(ci=f"ci-{number}"))
    assert await (await open_with_keys(NEW, OLD)).reseal() == (20, ("new",), ())
    for number in range(5):
        assert await (await open_with_keys(NEW)).find_consent(f"ci-{number}", "svc1", "ZBAA000001")


async def test_the_ledger_stays_in_use_while_resealing(open_with_keys, factory, monkeypatch):
    monkeypatch.setattr("relay.infra.ledger.resealing.BATCH", 3)
    both = await open_with_keys(NEW, OLD)
    old = await open_with_keys(OLD)
    for number in range(10):
        await factory.issue(old, factory.build_consent(ci=f"ci-{number}"))
    await asyncio.gather(
        both.reseal(), *[factory.issue(both, factory.build_consent(ci=f"ci-{number}")) for number in range(10)]
    )
    await both.reseal()
    ledger = await open_with_keys(NEW)
    assert all([await ledger.find_consent(f"ci-{number}", "svc1", "ZBAA000001") for number in range(10)])
