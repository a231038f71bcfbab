"""Only tokens of the consent are stored, and none twice."""

from dataclasses import replace

import pytest

from relay.domain.authorization.issued_tokens import TokenPair, TokenState


class TestTokens:
    @pytest.mark.parametrize(
        "wrong",
        [
            lambda pair: TokenPair(pair.refresh, pair.access),
            lambda pair: replace(pair, access=replace(pair.access, consent_id="another")),
            lambda pair: replace(pair, refresh=replace(pair.refresh, state=TokenState.REVOKED)),
        ],
    )
    async def test_tokens_that_do_not_fit_the_consent_are_refused(self, ledger, factory, wrong, url, sql):
        await factory.give_consent(ledger, factory.build_consent(), factory.build_code())
        with pytest.raises(ValueError, match="token"):
            await ledger.spend_code(
                factory.build_code().digest,
                factory.holder,
                factory.callback,
                lambda consent: wrong(factory.build_pair(consent)),
                factory.now,
            )
        assert sql(url, "SELECT count(*) FROM tokens") == ["0"]

    async def test_two_tokens_with_the_same_digest_are_refused(self, ledger, factory):
        _, pair = await factory.issue(ledger)
        other = factory.build_consent(ci="ci-two")
        twin = factory.build_pair(other)
        twin = replace(twin, access=replace(twin.access, digest=pair.access.digest))
        with pytest.raises(Exception, match=r"(?i)unique"):
            await ledger.issue_integrated(other, twin, [], [], factory.now)
        assert await ledger.find_consent("ci-two", other.client_id, other.provider) is None
