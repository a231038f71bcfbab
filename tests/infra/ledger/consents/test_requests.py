"""A request belongs to one browser, is answered once and locks after five wrong logins."""

import asyncio
from dataclasses import replace

import pytest

from relay.domain.authorization.request import RequestState
from relay.domain.ledger import NotGranted, Why
from relay.domain.transition import Forbidden


class TestRequests:
    async def test_what_was_asked_is_there_until_it_is_answered(self, ledger, desk):
        request = desk.request(desk.consent())
        await ledger.open_request(request)
        assert await ledger.request(request.request_id, None, desk.now) == request

    async def test_an_unknown_request_is_unknown(self, ledger, desk, refused):
        assert await refused(ledger.request("nobody", b"b", desk.now)) is Why.REQUEST_UNKNOWN
        assert await refused(ledger.login_failed("nobody", desk.now)) is Why.REQUEST_UNKNOWN
        assert await refused(ledger.answer_request("nobody", RequestState.DENIED, "", desk.now)) is Why.REQUEST_UNKNOWN

    async def test_the_first_browser_owns_it(self, ledger, desk, refused):
        request = desk.request(desk.consent())
        await ledger.open_request(request)
        assert await ledger.request(request.request_id, b"one", desk.now) == request
        assert await ledger.request(request.request_id, b"one", desk.now) == request
        assert await refused(ledger.request(request.request_id, b"two", desk.now)) is Why.REQUEST_UNKNOWN

    async def test_of_fifty_browsers_one_owns_it(self, ledger, desk):
        request = desk.request(desk.consent())
        await ledger.open_request(request)
        asked = [ledger.request(request.request_id, b"%02d" % number, desk.now) for number in range(50)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(answer == request for answer in answers) == 1
        assert sum(isinstance(answer, NotGranted) for answer in answers) == 49

    async def test_it_expires(self, ledger, desk, refused):
        request = desk.request(desk.consent())
        await ledger.open_request(request)
        assert await ledger.request(request.request_id, None, request.expires_at - 1) == request
        over = request.expires_at
        assert await refused(ledger.request(request.request_id, None, over)) is Why.REQUEST_EXPIRED
        assert await refused(ledger.login_failed(request.request_id, over)) is Why.REQUEST_EXPIRED
        answer = ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "late", over)
        assert await refused(answer) is Why.REQUEST_EXPIRED

    async def test_the_fifth_wrong_login_locks_it(self, ledger, desk, refused):
        request = desk.request(desk.consent())
        await ledger.open_request(request)
        seen = [await ledger.login_failed(request.request_id, desk.now) for _ in range(5)]
        assert [(each.failures, each.state) for each in seen] == [
            (1, RequestState.OPEN),
            (2, RequestState.OPEN),
            (3, RequestState.OPEN),
            (4, RequestState.OPEN),
            (5, RequestState.LOCKED),
        ]
        assert await refused(ledger.login_failed(request.request_id, desk.now)) is Why.REQUEST_LOCKED
        assert await refused(ledger.request(request.request_id, None, desk.now)) is Why.REQUEST_LOCKED

    async def test_fifty_wrong_logins_at_once_are_counted_to_five(self, ledger, desk):
        request = desk.request(desk.consent())
        await ledger.open_request(request)
        tries = [ledger.login_failed(request.request_id, desk.now) for _ in range(50)]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(answer.failures for answer in answers if not isinstance(answer, Exception)) == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize(
        ("state", "why"),
        [(RequestState.DENIED, Why.REQUEST_ANSWERED), (RequestState.LOCKED, Why.REQUEST_LOCKED)],
    )
    async def test_what_is_over_stays_over(self, ledger, desk, state, why, refused):
        request = desk.request(desk.consent())
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, state, "over", desk.now)
        assert await refused(ledger.request(request.request_id, None, desk.now)) is why
        for other in (RequestState.AUTHENTICATED, RequestState.DENIED, RequestState.LOCKED):
            assert await refused(ledger.answer_request(request.request_id, other, "again", desk.now)) is why
        assert await refused(ledger.login_failed(request.request_id, desk.now)) is why

    async def test_a_login_counts_once(self, ledger, desk, refused):
        request = desk.request(desk.consent())
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", desk.now)
        found = await ledger.request(request.request_id, None, desk.now)
        assert found == replace(request, state=RequestState.AUTHENTICATED)
        again = ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "again", desk.now)
        assert await refused(again) is Why.REQUEST_ANSWERED
        assert await refused(ledger.login_failed(request.request_id, desk.now)) is Why.REQUEST_ANSWERED

    @pytest.mark.parametrize("state", [RequestState.CONSENTED, RequestState.OPEN])
    async def test_only_a_consent_makes_it_consented(self, ledger, desk, state):
        request = desk.request(desk.consent())
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", desk.now)
        with pytest.raises(Forbidden):
            await ledger.answer_request(request.request_id, state, "by hand", desk.now)
