"""Constraints refuse inconsistent rows, independently of the code."""

import re

import pytest
from sqlalchemy.exc import IntegrityError

from relay.infra.ledger.database.tables import METADATA
from relay.infra.ledger.schema import begin_exclusive


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consents SET state = 'active'",
        "UPDATE consents SET state = 'paused'",
        "UPDATE consents SET authentication = 'none'",
        "UPDATE tokens SET state = 'live'",
        "UPDATE tokens SET state = 'lost'",
        "UPDATE tokens SET kind = 'identity'",
        "UPDATE tokens SET consent_id = 'unknown'",
        "UPDATE consent_scopes SET all_assets = NOT all_assets",
        "INSERT INTO revocation_head (one, number) VALUES (2, 0)",
        "INSERT INTO revocations (number, jti) VALUES (99, 'unknown')",
        "UPDATE revocations SET jti = 'unknown'",
        "UPDATE history SET thing = 'weather'",
        "DELETE FROM consents",
        "DELETE FROM tokens",
    ],
)
async def test_the_database_refuses_inconsistent_rows(ledger, url, factory, statement):
    _, pair = await factory.issue(ledger)
    await ledger.refresh(pair.refresh.jti, factory.holder, factory.refresh_at(factory.now), 30, factory.now)
    await factory.issue(ledger)
    before = await ledger.find_token_and_consent(pair.access.jti)
    with pytest.raises(IntegrityError):
        await run(url, statement)
    assert await ledger.find_token_and_consent(pair.access.jti) == before


async def run(url, statement):
    async with begin_exclusive(url) as connection:
        await connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "column", ["ci", "customer", "assets", "content", "digest", "browser", "oauth_state", "purpose"]
)
def test_columns_of_customer_data_are_bytes(column):
    types = {table.c[column].type.python_type for table in METADATA.tables.values() if column in table.c}
    assert types == {bytes}


def test_no_column_is_named_like_a_secret():
    names = {column.name for table in METADATA.tables.values() for column in table.c}
    assert not [name for name in names if re.search(r"password|secret|token$|access_token|account", name)]
