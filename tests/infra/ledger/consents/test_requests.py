"""A request belongs to one browser, is answered once and locks after five wrong logins."""

import asyncio
from dataclasses import replace

import pytest

from relay.domain.authorization.request import RequestState
from relay.domain.ledger import LedgerRefused, Reason
from relay.domain.transition import InvalidTransition


class TestRequests:
    async def test_a_request_is_stored_until_it_is_answered(self, ledger, factory):
        request = factory.build_request(factory.build_consent())
        await ledger.open_request(request)
        assert await ledger.load_request(request.request_id, None, factory.now) == request

    async def test_an_unknown_request_is_denied(self, ledger, factory, denial_reason):
        assert await denial_reason(ledger.load_request("unknown", b"b", factory.now)) is Reason.REQUEST_UNKNOWN
        assert await denial_reason(ledger.count_failed_login("unknown", factory.now)) is Reason.REQUEST_UNKNOWN
        assert (
            await denial_reason(ledger.answer_request("unknown", RequestState.DENIED, "", factory.now))
            is Reason.REQUEST_UNKNOWN
        )

    async def test_the_first_browser_owns_a_request(self, ledger, factory, denial_reason):
        request = factory.build_request(factory.build_consent())
        await ledger.open_request(request)
        assert await ledger.load_request(request.request_id, b"one", factory.now) == request
        assert await ledger.load_request(request.request_id, b"one", factory.now) == request
        assert (
            await denial_reason(ledger.load_request(request.request_id, b"two", factory.now)) is Reason.REQUEST_UNKNOWN
        )

    async def test_one_of_fifty_browsers_owns_a_request(self, ledger, factory):
        request = factory.build_request(factory.build_consent())
        await ledger.open_request(request)
        calls = [ledger.load_request(request.request_id, b"%02d" % number, factory.now) for number in range(50)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(answer == request for answer in answers) == 1
        assert sum(isinstance(answer, LedgerRefused) for answer in answers) == 49

    async def test_a_request_expires(self, ledger, factory, denial_reason):
        request = factory.build_request(factory.build_consent())
        await ledger.open_request(request)
        assert await ledger.load_request(request.request_id, None, request.expires_at - 1) == request
        over = request.expires_at
        assert await denial_reason(ledger.load_request(request.request_id, None, over)) is Reason.REQUEST_EXPIRED
        assert await denial_reason(ledger.count_failed_login(request.request_id, over)) is Reason.REQUEST_EXPIRED
        answer = ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "late", over)
        assert await denial_reason(answer) is Reason.REQUEST_EXPIRED

    async def test_the_fifth_wrong_login_locks_a_request(self, ledger, factory, denial_reason):
        request = factory.build_request(factory.build_consent())
        await ledger.open_request(request)
        requests = [await ledger.count_failed_login(request.request_id, factory.now) for _ in range(5)]
        assert [(counted.failures, counted.state) for counted in requests] == [
            (1, RequestState.OPEN),
            (2, RequestState.OPEN),
            (3, RequestState.OPEN),
            (4, RequestState.OPEN),
            (5, RequestState.LOCKED),
        ]
        assert await denial_reason(ledger.count_failed_login(request.request_id, factory.now)) is Reason.REQUEST_LOCKED
        assert await denial_reason(ledger.load_request(request.request_id, None, factory.now)) is Reason.REQUEST_LOCKED

    async def test_fifty_concurrent_wrong_logins_count_to_five(self, ledger, factory):
        request = factory.build_request(factory.build_consent())
        await ledger.open_request(request)
        tries = [ledger.count_failed_login(request.request_id, factory.now) for _ in range(50)]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(answer.failures for answer in answers if not isinstance(answer, Exception)) == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize(
        ("state", "why"),
        [(RequestState.DENIED, Reason.REQUEST_ANSWERED), (RequestState.LOCKED, Reason.REQUEST_LOCKED)],
    )
    async def test_an_answered_request_stays_answered(self, ledger, factory, state, why, denial_reason):
        request = factory.build_request(factory.build_consent())
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, state, "over", factory.now)
        assert await denial_reason(ledger.load_request(request.request_id, None, factory.now)) is why
        for other in (RequestState.AUTHENTICATED, RequestState.DENIED, RequestState.LOCKED):
            assert await denial_reason(ledger.answer_request(request.request_id, other, "again", factory.now)) is why
        assert await denial_reason(ledger.count_failed_login(request.request_id, factory.now)) is why

    async def test_a_login_counts_once(self, ledger, factory, denial_reason):
        request = factory.build_request(factory.build_consent())
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", factory.now)
        stored = await ledger.load_request(request.request_id, None, factory.now)
        assert stored == replace(request, state=RequestState.AUTHENTICATED)
        again = ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "again", factory.now)
        assert await denial_reason(again) is Reason.REQUEST_ANSWERED
        assert (
            await denial_reason(ledger.count_failed_login(request.request_id, factory.now)) is Reason.REQUEST_ANSWERED
        )

    @pytest.mark.parametrize("state", [RequestState.CONSENTED, RequestState.OPEN])
    async def test_only_a_consent_completes_a_request(self, ledger, factory, state):
        request = factory.build_request(factory.build_consent())
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", factory.now)
        with pytest.raises(InvalidTransition):
            await ledger.answer_request(request.request_id, state, "by hand", factory.now)
