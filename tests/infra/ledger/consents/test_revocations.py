"""Gateways hear of every revocation, in order."""

import asyncio


class TestGrantSource:
    async def test_an_unknown_token_has_nothing_behind_it(self, ledger):
        assert await ledger.consent_behind("nobody") is None

    async def test_a_fresh_ledger_revoked_nothing(self, ledger):
        assert await ledger.revocation_head() == 0
        assert await ledger.revoked_after(0) == (0, [])
        assert await ledger.revoked_after(7) == (0, [])  # an older ledger, restored

    async def test_revocations_come_in_their_order(self, ledger, desk):
        pairs = [(await desk.issued(ledger, desk.consent(ci=f"ci-{number}")))[1] for number in range(3)]
        for pair in pairs:
            await ledger.withdraw(pair.access.jti, desk.holder, desk.now)
        jtis = [pair.access.jti for pair in pairs]
        assert await ledger.revoked_after(0) == (3, jtis)
        assert await ledger.revoked_after(2) == (3, jtis[2:])
        assert await ledger.revoked_after(3) == (3, [])

    async def test_no_number_appears_below_one_that_was_seen(self, ledger, desk):
        pairs = [(await desk.issued(ledger, desk.consent(ci=f"ci-{number}")))[1] for number in range(40)]
        seen, told = 0, []

        async def follow():
            nonlocal seen
            while len(told) < 40:
                seen, jtis = await ledger.revoked_after(seen)
                told.extend(jtis)

        await asyncio.gather(follow(), *[ledger.withdraw(pair.access.jti, desk.holder, desk.now) for pair in pairs])
        assert sorted(told) == sorted(pair.access.jti for pair in pairs)
