"""What may be used once is used once, by one."""

import asyncio

import pytest

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenState
from relay.domain.ledger import Why

LIVE = (TokenState.LIVE, ConsentState.ACTIVE)


class TestOnce:
    ONCE = (("tx_id", "MD_1"), ("nonce", "n1"), ("nonce", "n2"))

    @pytest.mark.parametrize(
        ("again", "why"),
        [
            ([("tx_id", "MD_1"), ("nonce", "n1")], Why.TX_ID_SPENT),
            ([("tx_id", "MD_2"), ("nonce", "n2")], Why.NONCE_SPENT),
            ([("tx_id", "MD_2"), ("nonce", "n3"), ("nonce", "n3")], Why.NONCE_SPENT),
        ],
    )
    async def test_what_was_used_once_is_refused_and_uses_nothing_up(self, ledger, desk, again, why, refused, standing):
        first = desk.consent()
        pair = desk.pair(first)
        await ledger.issue_integrated(first, pair, self.ONCE, [], desk.now)
        second = desk.consent()
        assert await refused(ledger.issue_integrated(second, desk.pair(second), again, [], desk.now)) is why
        assert await standing(pair.access) == [LIVE]
        assert await ledger.is_spent([("tx_id", "MD_2"), ("nonce", "n3")]) is None

    @pytest.mark.parametrize(
        ("asked", "why"),
        [
            ([("nonce", "n9"), ("tx_id", "MD_1")], Why.TX_ID_SPENT),
            ([("nonce", "n2"), ("tx_id", "MD_1")], Why.NONCE_SPENT),
            ([("tx_id", "n1"), ("nonce", "MD_1")], None),
            ([], None),
        ],
    )
    async def test_one_may_ask_before(self, ledger, desk, asked, why):
        consent = desk.consent()
        await ledger.issue_integrated(consent, desk.pair(consent), self.ONCE, [], desk.now)
        assert await ledger.is_spent(asked) is why

    async def test_of_twenty_with_one_tx_id_one_is_served(self, ledger, desk):
        given = [desk.consent(ci=f"ci-{number}") for number in range(20)]
        once = [("tx_id", "MD_1"), ("nonce", "n1")]
        calls = [ledger.issue_integrated(each, desk.pair(each), once, [], desk.now) for each in given]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert answers.count(None) == 1
        assert {answer.why for answer in answers if answer} == {Why.TX_ID_SPENT}
