"""Gateways read every revocation, in order."""

import asyncio


class TestGrantSource:
    async def test_an_unknown_token_has_no_consent(self, ledger):
        assert await ledger.find_token_and_consent("unknown") is None

    async def test_a_new_ledger_has_no_revocations(self, ledger):
        assert await ledger.get_revocation_head() == 0
        assert await ledger.list_revoked_after(0) == (0, [])
        assert await ledger.list_revoked_after(7) == (0, [])  # an older ledger, restored

    async def test_revocations_are_read_in_order(self, ledger, factory):
        pairs = [(await factory.issue(ledger, factory.build_consent(ci=f"ci-{number}")))[1] for number in range(3)]
        for pair in pairs:
            await ledger.withdraw(pair.access.jti, factory.holder, factory.now)
        jtis = [pair.access.jti for pair in pairs]
        assert await ledger.list_revoked_after(0) == (3, jtis)
        assert await ledger.list_revoked_after(2) == (3, jtis[2:])
        assert await ledger.list_revoked_after(3) == (3, [])

    async def test_no_number_appears_below_one_already_read(self, ledger, factory):
        pairs = [(await factory.issue(ledger, factory.build_consent(ci=f"ci-{number}")))[1] for number in range(40)]
        seen, revoked = 0, []

        async def follow():
            nonlocal seen
            while len(revoked) < 40:
                seen, jtis = await ledger.list_revoked_after(seen)
                revoked.extend(jtis)

        await asyncio.gather(
            follow(), *[ledger.withdraw(pair.access.jti, factory.holder, factory.now) for pair in pairs]
        )
        assert sorted(revoked) == sorted(pair.access.jti for pair in pairs)
