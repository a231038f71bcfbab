"""A ledger exchanged under our feet acknowledges nothing."""

import shutil
import sqlite3

import pytest
from sqlalchemy import text

from relay.domain.ledger import Unreachable, WrongLedger
from relay.infra.ledger import schema
from relay.infra.ledger.database.engine import engine_for
from relay.infra.ledger.sql_ledger import ledger_at, open_ledger


async def expect_wrong(ledger, desk, words):
    for asked in (ledger.revocation_head, ledger.end_overdue, ledger.consents_in_force):
        arguments = {"end_overdue": (desk.now,), "consents_in_force": ("ci-one",)}.get(asked.__name__, ())
        with pytest.raises(WrongLedger, match=words):
            await asked(*arguments)
    with pytest.raises(WrongLedger, match=words):
        await desk.issued(ledger)


@pytest.fixture
def path(sqlite_template, tmp_path):
    return shutil.copy(sqlite_template, tmp_path / "ledger.db")


async def test_a_file_that_was_deleted_acknowledges_nothing(path, sealer, desk):
    ledger = await open_ledger(f"sqlite:{path}", sealer, 2)
    await desk.issued(ledger)
    moved = path.rename(path.with_name("moved.db"))
    await expect_wrong(ledger, desk, "is gone")
    moved.rename(path)
    await desk.issued(ledger)
    await ledger.close()


async def test_a_file_that_was_replaced_acknowledges_nothing(path, sealer, desk, tmp_path):
    ledger = await open_ledger(f"sqlite:{path}", sealer, 2)
    await desk.issued(ledger)
    shutil.copy(path, tmp_path / "copy.db")
    (tmp_path / "copy.db").replace(path)
    await expect_wrong(ledger, desk, "another file stands in place")
    await ledger.close()


async def test_a_file_replaced_within_a_transaction_is_not_acknowledged(path, sealer, desk, tmp_path):
    ledger = await open_ledger(f"sqlite:{path}", sealer, 2)
    consent, pair = await desk.issued(ledger)

    def replaced(_consent, _refresh):
        shutil.copy(path, tmp_path / "copy.db")
        (tmp_path / "copy.db").replace(path)
        return desk.token(pair.access.kind, consent)

    with pytest.raises(WrongLedger):
        await ledger.refresh(pair.refresh.jti, desk.holder, replaced, 30, desk.now)
    await ledger.close()


async def test_a_new_generation_is_noticed_on_both_databases(url, sealer, desk):
    ledger, other = [await open_ledger(url, sealer, 2) for _ in range(2)]
    await desk.issued(ledger)
    assert await other.begin_generation() == 2
    await expect_wrong(ledger, desk, "a ledger brought back from a backup")
    await desk.issued(other)
    await ledger.close()
    await other.close()


async def test_another_ledger_in_the_same_place_is_noticed(url, sealer, desk, sql):
    ledger = await open_ledger(url, sealer, 2)
    await desk.issued(ledger)
    sql(url, "UPDATE ledger_identity SET ledger_id = 'another' RETURNING 1")
    await expect_wrong(ledger, desk, "another ledger")
    await ledger.close()


async def test_tables_made_anew_are_noticed(url, sealer, desk, sql):
    ledger = await open_ledger(url, sealer, 1)
    await desk.issued(ledger)
    sql(url, "ALTER TABLE ledger_identity RENAME TO former")
    with pytest.raises(Exception, match=r"no ledger any more|no such table|cached statement"):
        await ledger.revocation_head()
    await ledger.close()


async def test_every_ledger_has_an_id_of_its_own(tmp_path):
    found = set()
    for name in ("one.db", "two.db"):
        await schema.upgrade(f"sqlite:{tmp_path}/{name}")
        with sqlite3.connect(tmp_path / name) as rows:
            found.add(rows.execute("SELECT ledger_id, generation FROM ledger_identity").fetchone())
        rows.close()
    assert len({ledger_id for ledger_id, _ in found}) == 2
    assert {generation for _, generation in found} == {1}


async def test_an_outage_is_logged_when_it_begins_and_when_it_ends(path, sealer, desk, caplog):
    ledger = await open_ledger(f"sqlite:{path}", sealer, 2)
    await desk.issued(ledger)
    moved = path.rename(path.with_name("moved.db"))
    await expect_wrong(ledger, desk, "is gone")
    moved.rename(path)
    for _ in range(2):
        await desk.issued(ledger)
    begin, end = caplog.messages
    assert begin.startswith(f"ledger unavailable: cause=\"the ledger's file {path} is gone")
    assert end.startswith("ledger available again: after_s=")
    await ledger.close()


async def test_a_transaction_ends_by_its_deadline(postgresql, postgresql_template, sealer, desk):
    """Another session holds what it needs; once that is let go, the ledger serves on."""
    url = postgresql.database(postgresql_template)
    ledger, holder = ledger_at(url, sealer, 2, 0.3), engine_for(url, 1)
    await ledger.revocation_head()
    async with holder.begin() as rows:
        await rows.execute(text("LOCK TABLE consents"))
        with pytest.raises(Unreachable, match="did not answer in time"):
            await desk.issued(ledger)
    await desk.issued(ledger)
    await holder.dispose()
    await ledger.close()
