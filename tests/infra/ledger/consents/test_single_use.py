"""A single-use value is accepted once."""

import asyncio

import pytest

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenState
from relay.domain.ledger import Reason

LIVE = (TokenState.LIVE, ConsentState.ACTIVE)


class TestSingleUse:
    SPENT = (("tx_id", "MD_1"), ("nonce", "n1"), ("nonce", "n2"))

    @pytest.mark.parametrize(
        ("again", "why"),
        [
            ([("tx_id", "MD_1"), ("nonce", "n1")], Reason.TX_ID_SPENT),
            ([("tx_id", "MD_2"), ("nonce", "n2")], Reason.NONCE_SPENT),
            ([("tx_id", "MD_2"), ("nonce", "n3"), ("nonce", "n3")], Reason.NONCE_SPENT),
        ],
    )
    async def test_a_repeated_value_is_denied_and_uses_up_nothing(
        self, ledger, factory, again, why, denial_reason, token_states
    ):
        first = factory.build_consent()
        pair = factory.build_pair(first)
        await ledger.issue_integrated(first, pair, self.SPENT, [], factory.now)
        second = factory.build_consent()
        assert (
            await denial_reason(ledger.issue_integrated(second, factory.build_pair(second), again, [], factory.now))
            is why
        )
        assert await token_states(pair.access) == [LIVE]
        assert await ledger.find_spent([("tx_id", "MD_2"), ("nonce", "n3")]) is None

    @pytest.mark.parametrize(
        ("values", "why"),
        [
            ([("nonce", "n9"), ("tx_id", "MD_1")], Reason.TX_ID_SPENT),
            ([("nonce", "n2"), ("tx_id", "MD_1")], Reason.NONCE_SPENT),
            ([("tx_id", "n1"), ("nonce", "MD_1")], None),
            ([], None),
        ],
    )
    async def test_values_can_be_checked_before_their_use(self, ledger, factory, values, why):
        consent = factory.build_consent()
        await ledger.issue_integrated(consent, factory.build_pair(consent), self.SPENT, [], factory.now)
        assert await ledger.find_spent(values) is why

    async def test_one_of_twenty_with_the_same_tx_id_succeeds(self, ledger, factory):
        consents = [factory.build_consent(ci=f"ci-{number}") for number in range(20)]
        spent = [("tx_id", "MD_1"), ("nonce", "n1")]
        calls = [
            ledger.issue_integrated(consent, factory.build_pair(consent), spent, [], factory.now)
            for consent in consents
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert answers.count(None) == 1
        assert {answer.reason for answer in answers if answer} == {Reason.TX_ID_SPENT}
