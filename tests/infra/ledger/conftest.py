"""Ledgers to try things on, each fresh, on SQLite and on PostgreSQL; customers, consents and tokens for them."""

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
from alembic import command

from relay.domain.authorization.consent import Asset, Authentication, Consent, Particulars, Target
from relay.domain.authorization.issued_tokens import Pair, TokenKind, TokenRecord
from relay.domain.authorization.request import AuthorizationRequest, Code, RequestState
from relay.domain.ledger import Holder, NotGranted
from relay.infra.ledger import schema
from relay.infra.ledger.database.engine import made, sqlite_path
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import open_ledger

NOW = 1_800_000_000
"""15 January 2027, 17:00 in Korea."""
SERVICE = Holder("svc1", "ZBAA000001")
CALLBACK = "https://one.example/cb"
PURPOSE, STATE = "한곳에서 보기", "state1"


class Desk:
    """Makes what a ledger is given; every id is new."""

    now = NOW
    last_day = date(2027, 1, 14)
    """A consent with this `end` is over at `now`."""
    holder = SERVICE
    callback = CALLBACK

    def __init__(self):
        self._numbers = itertools.count(1)

    def id(self, what):
        return f"{what}-{os.getpid()}-{next(self._numbers)}"  # a forked process counts on by itself

    def consent(self, ci="ci-one", end=date(2027, 12, 31), **changes):
        told = Particulars(
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
        plain = Consent(
            consent_id=self.id("consent"),
            provider=SERVICE.provider,
            operator="ZOPA000001",
            client_id=SERVICE.client_id,
            authentication=Authentication.INDIVIDUAL,
            particulars=told,
            given_at=NOW,
            ci=ci,
        )
        return replace(plain, **changes)

    def token(self, kind, consent, now=NOW, lasts=3600):
        jti = self.id(kind.value)
        digest = hashlib.sha256(jti.encode()).digest()
        return TokenRecord(jti, kind, consent.consent_id, "bank.list bank.deposit", now, now + lasts, digest)

    def pair(self, consent, now=NOW, lasts=3600):
        access = self.token(TokenKind.ACCESS, consent, now, lasts)
        return Pair(access, self.token(TokenKind.REFRESH, consent, now, lasts * 24))

    def code(self, word="code", lasts=600):
        return Code(hashlib.sha256(word.encode()).digest(), NOW + lasts)

    def request(self, consent, **changes):
        plain = AuthorizationRequest(
            request_id=self.id("request"),
            provider=consent.provider,
            operator=consent.operator,
            client_id=consent.client_id,
            redirect_uri=CALLBACK,
            app_scheme="one",
            oauth_state=STATE,
            api_tran_id="ZOPA000001M00000000000001",
            asked_at=NOW,
            expires_at=NOW + 600,
            ci=consent.ci,
        )
        return replace(plain, **changes)

    def renewed(self, now):
        """An `issue` for refresh: a new access token each time it is asked."""
        return lambda consent, _: self.token(TokenKind.ACCESS, consent, now)

    async def given(self, ledger, consent, code):
        """The way through the pages, to a code."""
        request = self.request(consent)
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", NOW)
        await ledger.give_consent(request.request_id, consent, code, NOW)
        return request

    async def issued(self, ledger, consent=None):
        """A consent with its pair, by integrated authentication."""
        consent = consent or self.consent()
        pair = self.pair(consent)
        await ledger.issue_integrated(consent, pair, [("tx_id", consent.consent_id)], [], NOW)
        return consent, pair


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "template.db"
    asyncio.run(schema.upgrade(f"sqlite:{path}"))
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql):
    url = postgresql.database()
    asyncio.run(schema.upgrade(url))
    return url.partition("@/")[2].partition("?")[0]


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request, tmp_path):
    """A place for a ledger, without tables."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/bare.db"
    return request.getfixturevalue("postgresql").database()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """A fresh ledger with its tables."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "ledger.db")
        return f"sqlite:{path}"
    template = request.getfixturevalue("postgresql_template")
    return request.getfixturevalue("postgresql").database(template)


@pytest.fixture
def at_step():
    """Brings an empty ledger to an older step."""

    def steps(connection, step):
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, step)

    async def brought(url, step):
        if (path := sqlite_path(url)) is not None:
            made(path)
        async with schema.changing(url) as rows:
            await rows.run_sync(steps, step)

    return brought


@pytest.fixture
def columns_of_today():
    """Lends older tables the columns that the code of today writes, for as long as it puts something into them."""

    async def tell(url, *statements):
        async with schema.changing(url) as rows:
            for statement in statements:
                await rows.exec_driver_sql(statement)

    in_clear = [("consents", "purpose", PURPOSE), ("authorization_requests", "oauth_state", STATE)]

    def sealed(table, column, _):
        return f"ALTER TABLE {table} ALTER COLUMN {column} TYPE BYTEA USING convert_to({column}, 'UTF8')"

    def clear(url, table, column, text):
        if url.startswith("sqlite:"):
            return f"UPDATE {table} SET {column} = '{text}'"
        return f"ALTER TABLE {table} ALTER COLUMN {column} TYPE VARCHAR USING '{text}'"

    @asynccontextmanager
    async def lent(url, *, knows_ends=False):
        """`knows_ends`: the ledger is at a step that has `ended_at` already."""
        blob = "BLOB" if url.startswith("sqlite:") else "BYTEA"
        lacking = [("spent", "consent_id", "VARCHAR"), ("spent", "form", blob)]
        if not knows_ends:
            lacking.append(("consents", "ended_at", "BIGINT"))
        await tell(url, *[f"ALTER TABLE {table} ADD COLUMN {name} {kind}" for table, name, kind in lacking])
        if not url.startswith("sqlite:"):
            await tell(url, *[sealed(*row) for row in in_clear])
        await tell(url, "CREATE TABLE ledger_identity AS SELECT 'an older ledger' AS ledger_id, 1 AS generation")
        yield
        await tell(url, "DROP TABLE ledger_identity")
        await tell(url, *[f"ALTER TABLE {table} DROP COLUMN {name}" for table, name, _ in lacking])
        await tell(url, *[clear(url, *row) for row in in_clear])

    return lent


@pytest.fixture
def sealer():
    return Sealer([CustomerKey("first", b"1" * 32)])


@pytest_asyncio.fixture
async def ledger(url, sealer):
    opened = await open_ledger(url, sealer, 10)
    yield opened
    await opened.close()


@pytest.fixture
def refused():
    """Why the ledger grants nothing of what is awaited."""

    async def why(awaited):
        with pytest.raises(NotGranted) as caught:
            await awaited
        return caught.value.why

    return why


@pytest.fixture
def standing(ledger):
    """What became of access tokens and of their consents."""

    async def states(*tokens):
        found = [await ledger.consent_behind(token.jti) for token in tokens]
        return [(token.state, consent.state) for token, consent in found]

    return states


@pytest.fixture
def sql(request):
    """Asks a ledger past everything that guards it: rows of text, values by `|`."""

    def ask(url, statement):
        if url.startswith("sqlite:"):
            with sqlite3.connect(url.removeprefix("sqlite:")) as connection:
                rows = ["|".join(map(str, row)) for row in connection.execute(statement)]
            connection.close()
            return rows
        return request.getfixturevalue("postgresql").sql(url, statement).splitlines()

    return ask
