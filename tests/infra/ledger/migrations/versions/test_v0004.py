"""Migration 0004 seals `state` and the purpose, which were stored in clear."""

import pytest
import pytest_asyncio

from relay.infra.ledger import schema, upgrading
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.key_fingerprints import CustomerKeyError
from relay.infra.ledger.schema import SchemaState
from relay.infra.ledger.sql_ledger import create_ledger

CLEAR = (("consents", "purpose", "한곳에서 보기"), ("authorization_requests", "oauth_state", "state1"))


@pytest_asyncio.fixture
async def before(bare_url, upgrade_to, factory, sealer, current_columns):
    """A ledger of migration 0003 with more rows than one batch."""
    await upgrade_to(bare_url, "0003")
    ledger = create_ledger(bare_url, sealer, 2)
    async with current_columns(bare_url, has_ended_at=True):
        consent, pair = await factory.issue(ledger)
        request = await factory.give_consent(ledger, factory.build_consent(ci="ci-two"), factory.build_code())
        pending = factory.build_request(factory.build_consent(ci="ci-three"))
        await ledger.open_request(pending)
    await ledger.close()
    ledger = create_ledger(bare_url, sealer, 2)  # a later migration gives the ledger its identity
    yield ledger, consent, pair, request, pending
    await ledger.close()


async def test_clear_values_are_sealed_and_unseal(before, bare_url, sealer, sql, factory, monkeypatch):
    monkeypatch.setattr("relay.infra.ledger.migrations.versions.v0004.BATCH", 1)
    ledger, consent, pair, _, pending = before
    for table, column, text in CLEAR:
        assert set(sql(bare_url, f"SELECT {column} FROM {table}")) == {text}
    assert (await upgrading.upgrade(bare_url, sealer)).before is SchemaState.OLDER
    for table, column, text in CLEAR:
        hexed = f"hex({column})" if bare_url.startswith("sqlite:") else f"encode({column}, 'hex')"
        stored = sql(bare_url, f"SELECT {hexed} FROM {table}")
        assert len(set(stored)) == 2
        assert not [value for value in stored if text.encode().hex() in value.lower()]
    assert await ledger.find_token_and_consent(pair.access.jti) == (pair.access, consent)
    assert await ledger.load_request(pending.request_id, None, factory.now) == pending
    await ledger.check()


async def test_no_clear_value_stays_in_the_file(before, bare_url, sealer, tmp_path):
    ledger, *_ = before
    await upgrading.upgrade(bare_url, sealer)
    await ledger.close()
    files = list(tmp_path.glob("bare.db*"))  # none for PostgreSQL
    assert len(files) == bare_url.startswith("sqlite:")
    assert not [text for _, _, text in CLEAR for file in files if text.encode() in file.read_bytes()]


async def test_rows_are_not_sealed_without_a_key_or_under_a_wrong_one(before, bare_url, sql):
    with pytest.raises(ValueError, match="no customer keys"):
        await upgrading.upgrade(bare_url)
    with pytest.raises(CustomerKeyError):
        await upgrading.upgrade(bare_url, Sealer([CustomerKey("other", b"2" * 32)]))
    assert await schema.read_state(bare_url) is SchemaState.OLDER
    for table, column, text in CLEAR:
        assert set(sql(bare_url, f"SELECT {column} FROM {table}")) == {text}
