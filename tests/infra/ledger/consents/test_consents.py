"""A consent is stored as given, found only by its customer, and one is in force at a time."""

import asyncio
from dataclasses import replace

import pytest

from relay.domain.authorization.consent import ConsentState, Target
from relay.domain.authorization.issued_tokens import TokenState
from relay.domain.authorization.request import RequestState
from relay.domain.ledger import Reason
from relay.domain.transition import InvalidTransition

AGAIN_S = 30
REPLACED = (TokenState.REVOKED, ConsentState.REPLACED)


class TestGivingConsent:
    async def test_a_consent_is_stored_as_given(self, ledger, factory):
        consent = factory.build_consent()
        await factory.give_consent(ledger, consent, factory.build_code())
        assert await ledger.find_consent(consent.ci, consent.client_id, consent.provider) == consent

    @pytest.mark.parametrize("other", [("ci-two", "svc1", "ZBAA000001"), ("ci-one", "svc2", "ZBAA000001")])
    async def test_other_customers_and_services_do_not_find_it(self, ledger, factory, other):
        await factory.give_consent(ledger, factory.build_consent(), factory.build_code())
        assert await ledger.find_consent(*other) is None

    async def test_a_second_submit_changes_nothing(self, ledger, factory, denial_reason):
        consent = factory.build_consent()
        request = await factory.give_consent(ledger, consent, factory.build_code())
        again = ledger.give_consent(
            request.request_id, factory.build_consent(), factory.build_code("another"), factory.now
        )
        assert await denial_reason(again) is Reason.REQUEST_ANSWERED
        assert await ledger.find_consent(consent.ci, consent.client_id, consent.provider) == consent

    async def test_one_of_fifty_concurrent_submits_succeeds(self, ledger, factory):
        request = factory.build_request(factory.build_consent())
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", factory.now)
        submits = [
            ledger.give_consent(
                request.request_id, factory.build_consent(), factory.build_code(f"{number}"), factory.now
            )
            for number in range(50)
        ]
        answers = await asyncio.gather(*submits, return_exceptions=True)
        assert answers.count(None) == 1
        assert {answer.reason for answer in answers if answer} == {Reason.REQUEST_ANSWERED}

    async def test_a_request_without_login_takes_no_consent(self, ledger, factory):
        consent = factory.build_consent()
        request = factory.build_request(consent)
        await ledger.open_request(request)
        with pytest.raises(InvalidTransition):
            await ledger.give_consent(request.request_id, consent, factory.build_code(), factory.now)
        assert await ledger.find_consent(consent.ci, consent.client_id, consent.provider) is None

    @pytest.mark.parametrize(
        "other", [{"ci": "ci-two"}, {"provider": "ZCDA000001"}, {"client_id": "svc2"}, {"operator": "ZOPB000001"}]
    )
    async def test_a_consent_must_match_its_request(self, ledger, factory, other):
        consent = factory.build_consent()
        request = factory.build_request(consent)
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", factory.now)
        with pytest.raises(ValueError, match="that its request names"):
            await ledger.give_consent(request.request_id, replace(consent, **other), factory.build_code(), factory.now)
        assert (await ledger.load_request(request.request_id, None, factory.now)).state is RequestState.AUTHENTICATED

    async def test_a_new_consent_replaces_the_old_one_at_once(self, ledger, factory, denial_reason, token_states):
        _, pair = await factory.issue(ledger)
        newer = factory.build_consent()
        await factory.give_consent(ledger, newer, factory.build_code())
        assert await token_states(pair.access) == [REPLACED]
        assert (await ledger.list_revoked_after(0))[1] == [pair.access.jti]
        refresh = ledger.refresh(
            pair.refresh.jti, factory.holder, factory.refresh_at(factory.now), AGAIN_S, factory.now
        )
        assert await denial_reason(refresh) is Reason.REFRESH_REVOKED
        assert await ledger.find_consent(newer.ci, newer.client_id, newer.provider) == newer

    async def test_parallel_first_consents_leave_one_in_force(self, ledger, factory, url, sql):
        await asyncio.gather(
            *[
                factory.give_consent(ledger, factory.build_consent(), factory.build_code(f"{number}"))
                for number in range(20)
            ]
        )
        assert sorted(sql(url, "SELECT state, count(*) FROM consents GROUP BY state")) == ["active|1", "replaced|19"]

    async def test_targets_keep_their_order_and_assets(self, ledger, factory):
        usual = factory.build_consent()
        targets = (Target("bank.loan"), *usual.particulars.targets)
        consent, pair = await factory.issue(
            ledger, replace(usual, particulars=replace(usual.particulars, targets=targets))
        )
        assert (await ledger.find_token_and_consent(pair.access.jti))[1] == consent


class TestEnding:
    """Every end of a consent is recorded with its time."""

    async def withdraw(self, ledger, factory, pair, at):
        assert await ledger.withdraw(pair.access.jti, factory.holder, at)

    async def replace(self, ledger, factory, _, at):
        consent = factory.build_consent()
        await ledger.issue_integrated(consent, factory.build_pair(consent), [], [], at)

    async def expire(self, ledger, *_):
        assert await ledger.end_expired_consents(1_900_000_000) == 1

    @pytest.mark.parametrize(
        ("action", "state", "ended_at"),
        [
            ("withdraw", ConsentState.REVOKED, 1_800_000_060),
            ("replace", ConsentState.REPLACED, 1_800_000_060),
            ("expire", ConsentState.ENDED, 1_900_000_000),
        ],
    )
    async def test_the_end_of_a_consent_is_recorded(self, ledger, factory, url, sql, action, state, ended_at):
        consent, pair = await factory.issue(ledger)
        condition = f"WHERE consent_id = '{consent.consent_id}'"
        assert sql(url, f"SELECT count(ended_at) FROM consents {condition}") == ["0"]
        await getattr(self, action)(ledger, factory, pair, factory.now + 60)
        assert sql(url, f"SELECT state, ended_at FROM consents {condition}") == [f"{state.value}|{ended_at}"]
