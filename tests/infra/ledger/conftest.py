"""Fixtures: fresh ledgers on SQLite and PostgreSQL, and a factory of consents, tokens and requests."""

import asyncio
import hashlib
import itertools
import os
import shutil
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date

import pytest
import pytest_asyncio

from relay.domain.authorization.consent import Asset, Authentication, Consent, Particulars, Target
from relay.domain.authorization.issued_tokens import TokenKind, TokenPair, TokenRecord
from relay.domain.authorization.request import AuthorizationCode, AuthorizationRequest, RequestState
from relay.domain.ledger import LedgerRefused, TokenHolder
from relay.infra.ledger import schema, upgrading
from relay.infra.ledger.database.engine import create_file, sqlite_path
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import create_ledger

NOW = 1_800_000_000
"""15 January 2027, 17:00 in Korea."""
SERVICE = TokenHolder("svc1", "ZBAA000001")
CALLBACK = "https://one.example/cb"
PURPOSE, STATE = "한곳에서 보기", "state1"


class Factory:
    """Builds arguments for the ledger's methods; every id is new."""

    now = NOW
    last_day = date(2027, 1, 14)
    """The last day of a consent that is over at `now`."""
    holder = SERVICE
    callback = CALLBACK

    def __init__(self):
        self._numbers = itertools.count(1)

    def new_id(self, kind):
        return f"{kind}-{os.getpid()}-{next(self._numbers)}"  # forked processes draw the same numbers

    def build_consent(self, ci="ci-one", end=date(2027, 12, 31), **changes):
        particulars = Particulars(
            is_scheduled=True,
            end_date=end,
            purpose=PURPOSE,
            period=date(9999, 12, 31),
            targets=(
                Target("bank.list"),
                Target("bank.deposit", (Asset("110-222-333333"), Asset("110-222-444444", "1"))),
                Target("bank.loan", ()),
            ),
            fnd_cycle="1/w",
            add_cycle="1/w",
            is_consent_trans_memo=False,
        )
        consent = Consent(
            consent_id=self.new_id("consent"),
            provider=SERVICE.provider,
            operator="ZOPA000001",
            client_id=SERVICE.client_id,
            authentication=Authentication.INDIVIDUAL,
            particulars=particulars,
            given_at=NOW,
            ci=ci,
        )
        return replace(consent, **changes)

    def build_token(self, kind, consent, now=NOW, lasts=3600):
        jti = self.new_id(kind.value)
        digest = hashlib.sha256(jti.encode()).digest()
        return TokenRecord(jti, kind, consent.consent_id, "bank.list bank.deposit", now, now + lasts, digest)

    def build_pair(self, consent, now=NOW, lasts=3600):
        access = self.build_token(TokenKind.ACCESS, consent, now, lasts)
        return TokenPair(access, self.build_token(TokenKind.REFRESH, consent, now, lasts * 24))

    def build_code(self, word="code", lasts=600):
        return AuthorizationCode(hashlib.sha256(word.encode()).digest(), NOW + lasts)

    def build_request(self, consent, **changes):
        request = AuthorizationRequest(
            request_id=self.new_id("request"),
            provider=consent.provider,
            operator=consent.operator,
            client_id=consent.client_id,
            redirect_uri=CALLBACK,
            app_scheme="one",
            oauth_state=STATE,
            api_tran_id="ZOPA000001M00000000000001",
            requested_at=NOW,
            expires_at=NOW + 600,
            ci=consent.ci,
        )
        return replace(request, **changes)

    def refresh_at(self, now):
        """Returns an `issue` for refresh that makes a new access token at each call."""
        return lambda consent, _: self.build_token(TokenKind.ACCESS, consent, now)

    async def give_consent(self, ledger, consent, code):
        """Runs individual authentication to the code. Returns the request."""
        request = self.build_request(consent)
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", NOW)
        await ledger.give_consent(request.request_id, consent, code, NOW)
        return request

    async def issue(self, ledger, consent=None):
        """Issues a consent with its pair by integrated authentication."""
        consent = consent or self.build_consent()
        pair = self.build_pair(consent)
        await ledger.issue_integrated(consent, pair, [("tx_id", consent.consent_id)], [], NOW)
        return consent, pair


@pytest.fixture
def factory():
    return Factory()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "template.db"
    asyncio.run(upgrading.upgrade(f"sqlite:{path}"))
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql):
    url = postgresql.database()
    asyncio.run(upgrading.upgrade(url))
    return url.partition("@/")[2].partition("?")[0]


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request, tmp_path):
    """The URL of a ledger without tables."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/bare.db"
    return request.getfixturevalue("postgresql").database()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of a fresh ledger with its tables."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "ledger.db")
        return f"sqlite:{path}"
    template = request.getfixturevalue("postgresql_template")
    return request.getfixturevalue("postgresql").database(template)


@pytest.fixture
def upgrade_to():
    """Upgrades an empty ledger to an older revision."""

    async def upgrade(url, revision):
        if (path := sqlite_path(url)) is not None:
            create_file(path)
        async with schema.begin_exclusive(url) as connection:
            await connection.run_sync(upgrading.run_migrations, revision)

    return upgrade


@pytest.fixture
def current_columns():
    """Adds to older tables the columns that the current code writes, while a block inserts rows."""

    async def execute(url, *statements):
        async with schema.begin_exclusive(url) as connection:
            for statement in statements:
                await connection.exec_driver_sql(statement)

    in_clear = [("consents", "purpose", PURPOSE), ("authorization_requests", "oauth_state", STATE)]

    def to_bytes(table, column, _):
        return f"ALTER TABLE {table} ALTER COLUMN {column} TYPE BYTEA USING convert_to({column}, 'UTF8')"

    def to_text(url, table, column, text):
        if url.startswith("sqlite:"):
            return f"UPDATE {table} SET {column} = '{text}'"
        return f"ALTER TABLE {table} ALTER COLUMN {column} TYPE VARCHAR USING '{text}'"

    @asynccontextmanager
    async def add_columns(url, *, has_ended_at=False):
        """`has_ended_at`: the ledger's revision has `ended_at` already."""
        blob = "BLOB" if url.startswith("sqlite:") else "BYTEA"
        missing = [("spent", "consent_id", "VARCHAR"), ("spent", "form", blob)]
        if not has_ended_at:
            missing.append(("consents", "ended_at", "BIGINT"))
        await execute(url, *[f"ALTER TABLE {table} ADD COLUMN {name} {kind}" for table, name, kind in missing])
        if not url.startswith("sqlite:"):
            await execute(url, *[to_bytes(*row) for row in in_clear])
        await execute(url, "CREATE TABLE ledger_identity AS SELECT 'an older ledger' AS ledger_id, 1 AS generation")
        yield
        await execute(url, "DROP TABLE ledger_identity")
        await execute(url, *[f"ALTER TABLE {table} DROP COLUMN {name}" for table, name, _ in missing])
        await execute(url, *[to_text(url, *row) for row in in_clear])

    return add_columns


@pytest.fixture
def sealer():
    return Sealer([CustomerKey("first", b"1" * 32)])


@pytest_asyncio.fixture
async def ledger(url, sealer):
    opened = create_ledger(url, sealer, 10)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def fence(ledger):
    """The fence of a leader at NOW."""
    return (await ledger.jobs.lead("here", 60, NOW)).fence


@pytest.fixture
def denial_reason():
    """Awaits a call that the ledger denies. Returns the reason."""

    async def await_denial(call):
        with pytest.raises(LedgerRefused) as caught:
            await call
        return caught.value.reason

    return await_denial


@pytest.fixture
def token_states(ledger):
    """Returns the states of access tokens and of their consents."""

    async def load_states(*tokens):
        pairs = [await ledger.find_token_and_consent(token.jti) for token in tokens]
        return [(token.state, consent.state) for token, consent in pairs]

    return load_states


@pytest.fixture
def sql(request):
    """Executes a statement without the ledger. Returns rows as text, their values separated by `|`."""

    def execute(url, statement):
        if url.startswith("sqlite:"):
            with sqlite3.connect(url.removeprefix("sqlite:")) as connection:
                rows = ["|".join(map(str, row)) for row in connection.execute(statement)]
            connection.close()
            return rows
        return request.getfixturevalue("postgresql").sql(url, statement).splitlines()

    return execute
