"""The ledger as a whole: consents of integrated authentication, the history, what opening says."""

import asyncio

import pytest

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenState
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.key_fingerprints import KeysUnfit
from relay.infra.ledger.schema import SchemaProblem, SchemaState, upgrade
from relay.infra.ledger.sql_ledger import open_ledger

AGAIN_S = 30
LIVE = (TokenState.LIVE, ConsentState.ACTIVE)
REPLACED = (TokenState.REVOKED, ConsentState.REPLACED)


class TestIntegrated:
    async def test_a_former_consent_is_replaced(self, ledger, desk, standing):
        _, former = await desk.issued(ledger)
        _, newer = await desk.issued(ledger)
        assert await standing(former.access, newer.access) == [REPLACED, LIVE]

    async def test_consents_of_other_services_and_providers_stay(self, ledger, desk, standing):
        _, one = await desk.issued(ledger)
        _, two = await desk.issued(ledger, desk.consent(client_id="svc2"))
        _, three = await desk.issued(ledger, desk.consent(provider="ZCDA000001"))
        _, four = await desk.issued(ledger, desk.consent(ci="ci-two"))
        assert await standing(one.access, two.access, three.access, four.access) == [LIVE] * 4

    async def test_parallel_first_consents_leave_one_in_force(self, ledger, desk, url, sql):
        await asyncio.gather(*[desk.issued(ledger) for _ in range(20)])
        assert sql(url, "SELECT count(*) FROM consents WHERE state = 'active'") == ["1"]
        assert sql(url, "SELECT kind, count(*) FROM tokens WHERE state = 'live' GROUP BY kind ORDER BY kind") == [
            "access|1",
            "refresh|1",
        ]
        assert await ledger.revocation_head() == 19


class TestWhatIsKept:
    async def test_every_move_has_its_reason(self, ledger, desk, url, sql):
        await desk.given(ledger, desk.consent(), desk.code())
        _, pair = await ledger.spend_code(desk.code().digest, desk.holder, desk.callback, desk.pair, desk.now)
        later = desk.now + 100
        await ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(later), AGAIN_S, later)
        assert sql(url, "SELECT at - 1800000000, thing, was, became, why FROM history ORDER BY number") == [
            line.replace("None", "None" if url.startswith("sqlite") else "")
            for line in (
                "0|request|None|open|asked for",
                "0|request|open|authenticated|logged in",
                "0|request|authenticated|consented|consent given",
                "0|consent|None|active|given in individual authentication",
                "0|token|None|live|issued",
                "0|token|None|live|issued",
                "100|token|live|revoked|refreshed",
                "100|token|None|live|refreshed",
            )
        ]


class TestOneCustomer:
    """What the portal asks about one customer (지원-103)."""

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({}, ["first", "second", "third"]),
            ({"provider": "ZBAA000001"}, ["first", "second"]),
            ({"operator": "ZOPB000001"}, ["second", "third"]),
            ({"provider": "ZBAA000001", "operator": "ZOPB000001"}, ["second"]),
            ({"provider": "ZZZZ000001"}, []),
        ],
    )
    async def test_consents_in_force_are_found_the_oldest_first(self, ledger, desk, asked, found):
        named = {
            "third": desk.consent(
                provider="ZCDA000001", operator="ZOPB000001", client_id="svc3", given_at=desk.now + 2
            ),
            "second": desk.consent(operator="ZOPB000001", client_id="svc2", given_at=desk.now + 1),
            "first": desk.consent(),
        }
        for consent in (*named.values(), desk.consent(ci="ci-two")):
            await desk.issued(ledger, consent)
        assert await ledger.consents_in_force("ci-one", **asked) == [named[name] for name in found]

    async def test_what_is_over_is_not_among_them(self, ledger, desk):
        _, pair = await desk.issued(ledger)
        await desk.issued(ledger, newer := desk.consent(client_id="svc2"))
        await ledger.withdraw(pair.access.jti, desk.holder, desk.now)
        assert await ledger.consents_in_force("ci-one") == [newer]

    async def test_a_customer_is_found_under_every_key(self, ledger, url, desk):
        consent, _ = await desk.issued(ledger)
        keys = [CustomerKey("second", b"2" * 32), CustomerKey("first", b"1" * 32)]
        other = await open_ledger(url, Sealer(keys), 2)
        assert await other.consents_in_force("ci-one") == [consent]
        await other.close()


class TestOpening:
    async def test_a_ledger_without_tables_says_what_to_do(self, bare_url, sealer):
        opened = await open_ledger(bare_url, sealer, 2)
        try:
            with pytest.raises(SchemaProblem, match=r"run `relay migrate -c relay\.yaml`") as caught:
                await opened.check()
        finally:
            await opened.close()
        assert caught.value.state is SchemaState.EMPTY

    async def test_a_ledger_with_its_tables_and_keys_is_fine(self, ledger, url, sealer):
        await upgrade(url, sealer)
        await ledger.check()

    async def test_a_wrong_key_never_gets_to_work(self, ledger, url, sealer, desk, sql):
        """It would find no customer, and a second consent would stand beside the first."""
        await upgrade(url, sealer)
        await desk.issued(ledger)
        wrong = await open_ledger(url, Sealer([CustomerKey("first", b"2" * 32)]), 2)
        try:
            for refused in (wrong.check(), wrong.reseal()):
                with pytest.raises(KeysUnfit, match="the customer key 'first' is not the one of that name"):
                    await refused
        finally:
            await wrong.close()
        assert sql(url, "SELECT count(*) FROM consents") == ["1"]

    async def test_another_schema_is_refused(self, ledger):
        async with ledger._works.writing(0) as work:
            await work.rows.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(SchemaProblem, match="install the newer relay") as caught:
            await ledger.check()
        assert caught.value.state is SchemaState.NEWER


class TestGivingUp:
    """Whoever waits may stop waiting, at any moment: a timeout, a caller that hung up."""

    async def test_the_ledger_is_whole_and_free_afterwards(self, url, sealer, desk, sql):
        ledger = await open_ledger(url, sealer, 2)
        _, pair = await desk.issued(ledger)
        now = desk.now
        for turns in range(0, 90, 2):
            now += 100
            task = asyncio.ensure_future(ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(now), 30, now))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        now += 100
        _, access = await ledger.refresh(pair.refresh.jti, desk.holder, desk.renewed(now), 30, now)
        assert sql(url, "SELECT jti FROM tokens WHERE kind = 'access' AND state = 'live'") == [access.jti]
        revoked = sql(url, "SELECT count(*) FROM tokens WHERE kind = 'access' AND state = 'revoked'")
        assert sql(url, "SELECT number FROM revocation_head") == revoked
        await ledger.close()
