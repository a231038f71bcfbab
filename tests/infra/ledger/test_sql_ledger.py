"""The whole ledger: consents of integrated authentication, the history, the check at the start."""

import asyncio

import pytest

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenState
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.key_fingerprints import CustomerKeyError
from relay.infra.ledger.schema import SchemaError, SchemaState
from relay.infra.ledger.sql_ledger import create_ledger
from relay.infra.ledger.upgrading import upgrade

AGAIN_S = 30
LIVE = (TokenState.LIVE, ConsentState.ACTIVE)
REPLACED = (TokenState.REVOKED, ConsentState.REPLACED)


class TestIntegrated:
    async def test_a_former_consent_is_replaced(self, ledger, factory, token_states):
        _, former = await factory.issue(ledger)
        _, newer = await factory.issue(ledger)
        assert await token_states(former.access, newer.access) == [REPLACED, LIVE]

    async def test_consents_of_other_services_and_providers_stay(self, ledger, factory, token_states):
        changes = [{}, {"client_id": "svc2"}, {"provider": "ZCDA000001"}, {"ci": "ci-two"}]
        pairs = [(await factory.issue(ledger, factory.build_consent(**change)))[1] for change in changes]
        assert await token_states(*[pair.access for pair in pairs]) == [LIVE] * 4

    async def test_parallel_first_consents_leave_one_in_force(self, ledger, factory, url, sql):
        await asyncio.gather(*[factory.issue(ledger) for _ in range(20)])
        assert sql(url, "SELECT count(*) FROM consents WHERE state = 'active'") == ["1"]
        assert sql(url, "SELECT kind, count(*) FROM tokens WHERE state = 'live' GROUP BY kind ORDER BY kind") == [
            "access|1",
            "refresh|1",
        ]
        assert await ledger.get_revocation_head() == 19


class TestHistory:
    async def test_every_state_change_is_recorded_with_its_reason(self, ledger, factory, url, sql):
        await factory.give_consent(ledger, factory.build_consent(), factory.build_code())
        _, pair = await ledger.spend_code(
            factory.build_code().digest, factory.holder, factory.callback, factory.build_pair, factory.now
        )
        later = factory.now + 100
        await ledger.refresh(pair.refresh.jti, factory.holder, factory.refresh_at(later), AGAIN_S, later)
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
    """The portal's query for one customer (지원-103)."""

    @pytest.mark.parametrize(
        ("filters", "names"),
        [
            ({}, ["first", "second", "third"]),
            ({"provider": "ZBAA000001"}, ["first", "second"]),
            ({"operator": "ZOPB000001"}, ["second", "third"]),
            ({"provider": "ZBAA000001", "operator": "ZOPB000001"}, ["second"]),
            ({"provider": "ZZZZ000001"}, []),
        ],
    )
    async def test_consents_in_force_are_listed_oldest_first(self, ledger, factory, filters, names):
        named = {
            "third": factory.build_consent(
                provider="ZCDA000001", operator="ZOPB000001", client_id="svc3", given_at=factory.now + 2
            ),
            "second": factory.build_consent(operator="ZOPB000001", client_id="svc2", given_at=factory.now + 1),
            "first": factory.build_consent(),
        }
        for consent in (*named.values(), factory.build_consent(ci="ci-two")):
            await factory.issue(ledger, consent)
        assert await ledger.list_consents_in_force("ci-one", **filters) == [named[name] for name in names]

    async def test_ended_consents_are_not_listed(self, ledger, factory):
        _, pair = await factory.issue(ledger)
        await factory.issue(ledger, newer := factory.build_consent(client_id="svc2"))
        await ledger.withdraw(pair.access.jti, factory.holder, factory.now)
        assert await ledger.list_consents_in_force("ci-one") == [newer]

    async def test_a_customer_is_found_under_an_older_key(self, ledger, url, factory):
        consent, _ = await factory.issue(ledger)
        keys = [CustomerKey("second", b"2" * 32), CustomerKey("first", b"1" * 32)]
        other = create_ledger(url, Sealer(keys), 2)
        assert await other.list_consents_in_force("ci-one") == [consent]
        await other.close()


class TestOpening:
    async def test_a_ledger_without_tables_is_refused_with_a_remedy(self, bare_url, sealer):
        opened = create_ledger(bare_url, sealer, 2)
        try:
            with pytest.raises(SchemaError, match=r"run `relay migrate -c relay\.yaml`") as caught:
                await opened.check()
        finally:
            await opened.close()
        assert caught.value.state is SchemaState.EMPTY

    async def test_a_ledger_with_its_tables_and_keys_is_accepted(self, ledger, url, sealer):
        await upgrade(url, sealer)
        await ledger.check()

    async def test_a_wrong_key_is_refused(self, ledger, url, sealer, factory, sql):
        """A wrong key would find no customer, and a customer would get a second consent."""
        await upgrade(url, sealer)
        await factory.issue(ledger)
        wrong = create_ledger(url, Sealer([CustomerKey("first", b"2" * 32)]), 2)
        try:
            for call in (wrong.check(), wrong.reseal()):
                with pytest.raises(CustomerKeyError, match="the customer key 'first' is not the one of that name"):
                    await call
        finally:
            await wrong.close()
        assert sql(url, "SELECT count(*) FROM consents") == ["1"]

    async def test_another_schema_is_refused(self, ledger, url, sql):
        sql(url, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(SchemaError, match="install the newer relay") as caught:
            await ledger.check()
        assert caught.value.state is SchemaState.NEWER


class TestCancellation:
    """A caller may be cancelled at any moment, by a timeout or a closed connection."""

    async def test_a_cancelled_call_leaves_the_ledger_consistent_and_free(self, url, sealer, factory, sql):
        ledger = create_ledger(url, sealer, 2)
        _, pair = await factory.issue(ledger)
        now = factory.now
        for turns in range(0, 90, 2):
            now += 100
            task = asyncio.ensure_future(
                ledger.refresh(pair.refresh.jti, factory.holder, factory.refresh_at(now), 30, now)
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        now += 100
        _, access = await ledger.refresh(pair.refresh.jti, factory.holder, factory.refresh_at(now), 30, now)
        assert sql(url, "SELECT jti FROM tokens WHERE kind = 'access' AND state = 'live'") == [access.jti]
        revoked = sql(url, "SELECT count(*) FROM tokens WHERE kind = 'access' AND state = 'revoked'")
        assert sql(url, "SELECT number FROM revocation_head") == revoked
        await ledger.close()
