"""Only tokens that belong to their consent are kept, and none twice."""

from dataclasses import replace

import pytest

from relay.domain.authorization.issued_tokens import Pair, TokenState


class TestTokens:
    @pytest.mark.parametrize(
        "wrong",
        [
            lambda pair: Pair(pair.refresh, pair.access),
            lambda pair: replace(pair, access=replace(pair.access, consent_id="another")),
            lambda pair: replace(pair, refresh=replace(pair.refresh, state=TokenState.REVOKED)),
        ],
    )
    async def test_tokens_that_are_none_of_this_consent_are_not_kept(self, ledger, desk, wrong, url, sql):
        await desk.given(ledger, desk.consent(), desk.code())
        with pytest.raises(ValueError, match="token"):
            await ledger.spend_code(
                desk.code().digest, desk.holder, desk.callback, lambda consent: wrong(desk.pair(consent)), desk.now
            )
        assert sql(url, "SELECT count(*) FROM tokens") == ["0"]

    async def test_two_tokens_of_one_content_are_never_kept(self, ledger, desk):
        _, pair = await desk.issued(ledger)
        other = desk.consent(ci="ci-two")
        twin = desk.pair(other)
        twin = replace(twin, access=replace(twin.access, digest=pair.access.digest))
        with pytest.raises(Exception, match=r"(?i)unique"):
            await ledger.issue_integrated(other, twin, [], [], desk.now)
        assert await ledger.consent_of("ci-two", other.client_id, other.provider) is None
