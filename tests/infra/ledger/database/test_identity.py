"""A ledger that was replace_file while in use acknowledges nothing."""

import shutil
import sqlite3

import pytest
from sqlalchemy import text

from relay.domain.ledger import LedgerDown, WrongLedger
from relay.infra.ledger import upgrading
from relay.infra.ledger.database.engine import build_engine
from relay.infra.ledger.sql_ledger import create_ledger


async def check_wrong(ledger, factory, message):
    calls = {
        ledger.get_revocation_head: (),
        ledger.end_expired_consents: (factory.now,),
        ledger.list_consents_in_force: ("ci-one",),
    }
    for method, arguments in calls.items():
        with pytest.raises(WrongLedger, match=message):
            await method(*arguments)
    with pytest.raises(WrongLedger, match=message):
        await factory.issue(ledger)


@pytest.fixture
def path(sqlite_template, tmp_path):
    return shutil.copy(sqlite_template, tmp_path / "ledger.db")


async def test_a_deleted_file_acknowledges_nothing(path, sealer, factory):
    ledger = create_ledger(f"sqlite:{path}", sealer, 2)
    await factory.issue(ledger)
    moved = path.rename(path.with_name("moved.db"))
    await check_wrong(ledger, factory, "is gone")
    moved.rename(path)
    await factory.issue(ledger)
    await ledger.close()


async def test_a_replaced_file_acknowledges_nothing(path, sealer, factory, tmp_path):
    ledger = create_ledger(f"sqlite:{path}", sealer, 2)
    await factory.issue(ledger)
    shutil.copy(path, tmp_path / "copy.db")
    (tmp_path / "copy.db").replace(path)
    await check_wrong(ledger, factory, "another file stands in place")
    await ledger.close()


async def test_a_file_replaced_within_a_transaction_is_not_acknowledged(path, sealer, factory, tmp_path):
    ledger = create_ledger(f"sqlite:{path}", sealer, 2)
    consent, pair = await factory.issue(ledger)

    def replace_file(_consent, _refresh):
        shutil.copy(path, tmp_path / "copy.db")
        (tmp_path / "copy.db").replace(path)
        return factory.build_token(pair.access.kind, consent)

    with pytest.raises(WrongLedger):
        await ledger.refresh(pair.refresh.jti, factory.holder, replace_file, 30, factory.now)
    await ledger.close()


async def test_a_new_generation_is_detected_on_both_databases(url, sealer, factory):
    ledger, other = [create_ledger(url, sealer, 2) for _ in range(2)]
    await factory.issue(ledger)
    assert await other.begin_generation() == 2
    await check_wrong(ledger, factory, "a ledger brought back from a backup")
    await factory.issue(other)
    await ledger.close()
    await other.close()


async def test_another_ledger_in_the_same_place_is_detected(url, sealer, factory, sql):
    ledger = create_ledger(url, sealer, 2)
    await factory.issue(ledger)
    sql(url, "UPDATE ledger_identity SET ledger_id = 'another' RETURNING 1")
    await check_wrong(ledger, factory, "another ledger")
    await ledger.close()


async def test_recreated_tables_are_detected(url, sealer, factory, sql):
    ledger = create_ledger(url, sealer, 1)
    await factory.issue(ledger)
    sql(url, "ALTER TABLE ledger_identity RENAME TO former")
    with pytest.raises(Exception, match=r"no ledger any more|no such table|cached statement"):
        await ledger.get_revocation_head()
    await ledger.close()


async def test_every_ledger_has_an_id_of_its_own(tmp_path):
    identities = set()
    for name in ("one.db", "two.db"):
        await upgrading.upgrade(f"sqlite:{tmp_path}/{name}")
        with sqlite3.connect(tmp_path / name) as connection:
            identities.add(connection.execute("SELECT ledger_id, generation FROM ledger_identity").fetchone())
        connection.close()
    assert len({ledger_id for ledger_id, _ in identities}) == 2
    assert {generation for _, generation in identities} == {1}


async def test_an_outage_is_logged_when_it_begins_and_when_it_ends(path, sealer, factory, caplog):
    ledger = create_ledger(f"sqlite:{path}", sealer, 2)
    await factory.issue(ledger)
    moved = path.rename(path.with_name("moved.db"))
    await check_wrong(ledger, factory, "is gone")
    moved.rename(path)
    for _ in range(2):
        await factory.issue(ledger)
    begin, end = caplog.messages
    assert begin.startswith(f"ledger unavailable: cause=\"the ledger's file {path} is gone")
    assert end.startswith("ledger available again: after_s=")
    await ledger.close()


async def test_a_transaction_ends_by_its_deadline(postgresql, postgresql_template, sealer, factory):
    """Another session holds a lock; once it is released, the ledger works again."""
    url = postgresql.database(postgresql_template)
    ledger, holder = create_ledger(url, sealer, 2, 0.3), build_engine(url, 1)
    await ledger.get_revocation_head()
    async with holder.begin() as connection:
        await connection.execute(text("LOCK TABLE consents"))
        with pytest.raises(LedgerDown, match="did not answer in time"):
            await factory.issue(ledger)
    await factory.issue(ledger)
    await holder.dispose()
    await ledger.close()
