"""Migration 0002 adds the fingerprints of customer keys and changes nothing else."""

import pytest
import pytest_asyncio

from relay.infra.ledger import schema, upgrading
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.key_fingerprints import CustomerKeyError
from relay.infra.ledger.schema import SchemaError, SchemaState
from relay.infra.ledger.sql_ledger import create_ledger

FIRST = CustomerKey("first", b"1" * 32)
OTHER = CustomerKey("other", b"2" * 32)
WRONG = CustomerKey("first", b"3" * 32)


@pytest.fixture
def opened(bare_url):
    return lambda *keys: create_ledger(bare_url, Sealer(keys), 2)


@pytest_asyncio.fixture
async def before(bare_url, upgrade_to, opened, factory, current_columns):
    """A ledger of migration 0001 with a consent, its pair, and a request, sealed under FIRST."""
    await upgrade_to(bare_url, "0001")
    ledger = opened(FIRST)
    async with current_columns(bare_url):
        consent, pair = await factory.issue(ledger)
        await factory.give_consent(ledger, factory.build_consent(ci="ci-two"), factory.build_code())
    await ledger.close()
    ledger = opened(FIRST)  # a later migration gives the ledger its identity
    yield ledger, consent, pair
    await ledger.close()


async def test_the_migration_keeps_all_rows(before, bare_url, sealer, sql):
    ledger, consent, pair = before
    tables = ("consents", "consent_scopes", "tokens", "codes", "authorization_requests", "history", "spent")
    counts = [sql(bare_url, f"SELECT count(*) FROM {table}") for table in tables]
    assert await upgrading.upgrade(bare_url, sealer) == (SchemaState.OLDER, ("first",))
    assert [sql(bare_url, f"SELECT count(*) FROM {table}") for table in tables] == counts
    assert await ledger.find_token_and_consent(pair.access.jti) == (pair.access, consent)
    await ledger.check()


async def test_no_relay_starts_before_the_migration(before):
    with pytest.raises(SchemaError, match=r"older than this relay: run `relay migrate -c relay\.yaml`"):
        await before[0].check()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([WRONG], "the customer key 'first' does not open ci of a request: bring back the key it was sealed under"),
        ([OTHER, WRONG], "the customer key 'first' does not open ci of a request"),
        ([OTHER], "no customer key 'first' to open ci of a request"),
    ],
)
async def test_keys_that_do_not_unseal_the_rows_are_not_introduced(before, bare_url, keys, message):
    with pytest.raises(CustomerKeyError) as caught:
        await upgrading.upgrade(bare_url, Sealer(keys))
    assert str(caught.value).startswith(message)
    assert await schema.read_state(bare_url) is SchemaState.OLDER


async def test_the_keys_are_tried_on_every_table(before, bare_url, sql):
    """The requests were deleted, and the other rows are sealed under a lost key."""
    for statement in ("DELETE FROM codes RETURNING 1", "DELETE FROM authorization_requests RETURNING 1"):
        sql(bare_url, statement)
    with pytest.raises(CustomerKeyError, match="does not open ci of a consent"):
        await upgrading.upgrade(bare_url, Sealer([WRONG]))


async def test_all_keys_are_introduced_in_any_order(before, bare_url):
    upgraded = await upgrading.upgrade(bare_url, Sealer([OTHER, FIRST]))
    assert upgraded.introduced == ("other", "first")
