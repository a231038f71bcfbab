"""The step that seals `state` and the purpose, which stood in clear before it."""

import pytest
import pytest_asyncio

from relay.infra.ledger import schema
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.key_fingerprints import KeysUnfit
from relay.infra.ledger.schema import SchemaState
from relay.infra.ledger.sql_ledger import open_ledger

CLEAR = (("consents", "purpose", "한곳에서 보기"), ("authorization_requests", "oauth_state", "state1"))


@pytest_asyncio.fixture
async def before(bare_url, at_step, desk, sealer, columns_of_today):
    """A ledger of the step before, in use: more rows than one batch."""
    await at_step(bare_url, "0003")
    ledger = await open_ledger(bare_url, sealer, 2)
    async with columns_of_today(bare_url, knows_ends=True):
        consent, pair = await desk.issued(ledger)
        request = await desk.given(ledger, desk.consent(ci="ci-two"), desk.code())
        pending = desk.request(desk.consent(ci="ci-three"))
        await ledger.open_request(pending)
    await ledger.close()
    ledger = await open_ledger(bare_url, sealer, 2)  # a later step gives the ledger its identity
    yield ledger, consent, pair, request, pending
    await ledger.close()


async def test_what_stood_in_clear_is_sealed_and_opens(before, bare_url, sealer, sql, desk, monkeypatch):
    monkeypatch.setattr("relay.infra.ledger.migrations.versions.v0004._BATCH", 1)
    ledger, consent, pair, _, pending = before
    for table, column, text in CLEAR:
        assert set(sql(bare_url, f"SELECT {column} FROM {table}")) == {text}
    assert (await schema.upgrade(bare_url, sealer)).before is SchemaState.OLDER
    for table, column, text in CLEAR:
        hexed = f"hex({column})" if bare_url.startswith("sqlite:") else f"encode({column}, 'hex')"
        stored = sql(bare_url, f"SELECT {hexed} FROM {table}")
        assert len(set(stored)) == 2
        assert not [each for each in stored if text.encode().hex() in each.lower()]
    assert await ledger.consent_behind(pair.access.jti) == (pair.access, consent)
    assert await ledger.request(pending.request_id, None, desk.now) == pending
    await ledger.check()


async def test_nothing_of_it_stays_in_the_file(before, bare_url, sealer, tmp_path):
    ledger, *_ = before
    await schema.upgrade(bare_url, sealer)
    await ledger.close()
    files = list(tmp_path.glob("bare.db*"))  # none where the ledger is a server's
    assert len(files) == bare_url.startswith("sqlite:")
    assert not [text for _, _, text in CLEAR for file in files if text.encode() in file.read_bytes()]


async def test_rows_are_not_sealed_without_a_key_or_under_a_wrong_one(before, bare_url, sql):
    with pytest.raises(ValueError, match="no customer keys"):
        await schema.upgrade(bare_url)
    with pytest.raises(KeysUnfit):
        await schema.upgrade(bare_url, Sealer([CustomerKey("other", b"2" * 32)]))
    assert await schema.state(bare_url) is SchemaState.OLDER
    for table, column, text in CLEAR:
        assert set(sql(bare_url, f"SELECT {column} FROM {table}")) == {text}
