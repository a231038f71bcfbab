"""The hosted way: the relay shows the pages and asks the institution who logs in and what they have (규격 3.2.1)."""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote
from weakref import WeakValueDictionary

from aiohttp import web

from relay.domain.authorization.consent import Particulars
from relay.domain.authorization.request import LOGINS_MOST, AuthorizationRequest, RequestState
from relay.domain.institution import DeskFault
from relay.domain.ledger import NotGranted, Why
from relay.endpoint.connections.timed import run_while_connected
from relay.oauth.flows import PAGES
from relay.oauth.pages.answers import Denial, LastAnswers, denied, origins_of
from relay.oauth.pages.attempts import Attempt, LoginAttempts
from relay.oauth.pages.browser import Browser, cookie_of
from relay.oauth.pages.choices import (
    PERIODS,
    PURPOSES,
    WHICH,
    Choices,
    Form,
    Page,
    contradictions_in,
    day_in_korea,
    first_choices,
    mistakes_in,
    particulars_of,
    submitted,
)
from relay.oauth.pages.completion import Unsound, away, deny, give, scopes_at, sound
from relay.oauth.pages.forms import flaw, form_of, one
from relay.oauth.pages.problems import FORGED, SILENT, Hindered
from relay.oauth.pages.questions import questions_of, sections_of
from relay.oauth.pages.rendering import page
from relay.oauth.services import Authority
from relay.policy.settings.directory import Authentication, Provider

_ONCE_MORE: Final = "again"
"""The query of the one redirect that a browser without a cookie gets: another of its tabs may have been given it just
now."""

LOGIN_ID_MOST: Final = 64
PASSWORD_MOST: Final = 128
_TOKEN_MOST: Final = 64
_TYPED: Final = {"login_id": ("아이디", LOGIN_ID_MOST), "password": ("비밀번호", PASSWORD_MOST)}
"""The fields of the login, as customers call them, and how long they may be."""

_MEND: Final = {
    "missing": "{}를 입력해 주세요.",
    "long": "{}는 {}자까지 입력할 수 있습니다.",
    "unprintable": "{}에 쓸 수 없는 문자가 있습니다. 다시 입력해 주세요.",
}
_TOO_MANY: Final = "로그인 실패가 많아 잠시 로그인을 받지 않습니다. {}분 후에 다시 시도해 주세요."
_SILENT: Final = "금융회사가 응답하지 않아 로그인하지 못했습니다. 잠시 후 다시 시도해 주세요."


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser at a request's pages, with what the templates show."""

    request: AuthorizationRequest
    provider: Provider
    service_name: str
    operator_name: str
    relay_name: str
    browser: Browser = field(repr=False)

    @property
    def place(self) -> str:
        """The path of the request's pages."""
        return place_of(self.request.request_id)

    @property
    def provider_name(self) -> str:
        """The institution's name."""
        return self.provider.name

    @property
    def form_token(self) -> str:
        """What this browser's forms bring back."""
        return self.browser.form_token(self.request.request_id)


def place_of(request_id: str) -> str:
    """The path of a request's pages."""
    return f"{PAGES}/{quote(request_id, safe='')}"


class HostedPages:
    """The handlers. What a customer sends for one request is dealt with one after the other.

    Otherwise a hundred guesses sent at once would all be tried before the first of them is counted.
    """

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._last = LastAnswers()
        self._attempts = LoginAttempts(authority)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def show_login(self, http: web.Request) -> web.Response:
        """GET: the login form; binds the request to the first browser that asks."""
        request_id = http.match_info["request_id"]
        known = Browser.of(http.cookies, request_id)
        browser = known or Browser(self._authority.random())
        try:
            visit = await self._visit(request_id, browser)
        except NotGranted as refused:
            if known is None and refused.why is Why.REQUEST_UNKNOWN and not http.query_string:
                return web.Response(status=303, headers={"Location": f"{place_of(request_id)}?{_ONCE_MORE}"})
            raise
        if visit.request.state is RequestState.AUTHENTICATED:
            return _on(visit)
        answer = _login_form(visit)
        if known is None:
            # Lax and not Strict: customers come here from the operator's page, and Strict would hide the cookie when
            # they open the request again. Forms of other sites still come without it.
            left = visit.request.expires_at - int(self._authority.clock())
            answer.set_cookie(
                cookie_of(request_id),
                browser.secret,
                max_age=left,
                path="/",
                secure=True,
                httponly=True,
                samesite="Lax",
            )
        return answer

    async def login(self, http: web.Request) -> web.Response:
        """POST: who is it? The institution says; the CI must be the one the operator named."""
        request_id, browser, form = await self._sent(http)
        login_id, password = one(form, "login_id", LOGIN_ID_MOST), one(form, "password", PASSWORD_MOST)
        async with self._turn(request_id):
            visit = await self._visit(request_id, browser)
            if visit.request.state is RequestState.AUTHENTICATED:
                return _on(visit)
            mistakes = _unread(form)
            if mistakes:
                return _login_form(visit, login_id, mistakes)
            attempt = self._attempts.take(http, visit.provider.org_code, login_id)
            if isinstance(attempt, int):
                return _too_many(visit, login_id, attempt)
            try:
                ci = await self._authority.institutions.login(visit.provider, login_id, password, attempt.address)
            except DeskFault as error:
                self._attempts.give_back(attempt)
                self._complain(visit, error)
                return _login_form(visit, login_id, {"login_id": _SILENT}, 503)
            return await self._logged_in(visit, login_id, ci, attempt)

    async def show_consent(self, http: web.Request) -> web.Response:
        """GET: the consent form, with the former choices when there is a consent in force."""
        browser = Browser.of(http.cookies, http.match_info["request_id"])
        if browser is None:
            raise Hindered(FORGED)
        visit = await self._visit(http.match_info["request_id"], browser)
        if visit.request.state is RequestState.OPEN:
            return web.Response(status=303, headers={"Location": visit.place})
        offered = await self._offered(visit, http)
        return _consent_form(visit, offered, first_choices(offered))

    async def consent(self, http: web.Request) -> web.Response:
        """POST: judged here, written into the ledger with a code, and back to the operator."""
        request_id, browser, form = await self._sent(http)
        async with self._turn(request_id):
            again = self._answered("consent", request_id, browser)
            if again is not None:
                return again
            visit = await self._visit(request_id, browser)
            if visit.request.state is RequestState.OPEN:
                return web.Response(status=303, headers={"Location": visit.place})
            offered = await self._offered(visit, http)
            choices = submitted(offered, form)
            mistakes = mistakes_in(offered, choices)
            if mistakes:
                return _consent_form(visit, offered, choices, mistakes=mistakes)
            location = await give(self._authority, visit.request, self._chosen(visit, offered, choices))
            return self._ended("consent", visit, location)

    async def cancel(self, http: web.Request) -> web.Response:
        """POST: the customer does not want to (access_denied)."""
        request_id, browser, _ = await self._sent(http)
        async with self._turn(request_id):
            again = self._answered("cancel", request_id, browser)
            if again is not None:
                return again
            visit = await self._visit(request_id, browser)
            return self._ended("cancel", visit, await deny(self._authority, visit.request, Denial.CANCELLED))

    def _answered(self, button: str, request_id: str, browser: Browser) -> web.Response | None:
        """What this button was answered a moment ago; None when it was not pressed then, or another one was."""
        location = self._last.find(_pressed(button, request_id, browser), self._authority.clock())
        return None if location is None else away(location)

    def _ended(self, button: str, visit: Visit, location: str) -> web.Response:
        sender = _pressed(button, visit.request.request_id, visit.browser)
        self._last.keep(sender, location, self._authority.clock())
        return away(location)

    async def _logged_in(self, visit: Visit, login_id: str, ci: str | None, attempt: Attempt) -> web.Response:
        """A right password of another customer is answered like a wrong one: whoever guesses learns nothing by it."""
        request_id, now = visit.request.request_id, int(self._authority.clock())
        if ci is None or not hmac.compare_digest(ci.encode(), visit.request.ci.encode()):
            failed = await self._authority.ledger.login_failed(request_id, now)
            if failed.state is RequestState.LOCKED:
                return away(denied(visit.request, Denial.LOCKED))
            left = LOGINS_MOST - failed.failures
            wrong = f"아이디 또는 비밀번호가 올바르지 않습니다. {left}번 더 시도할 수 있습니다."
            return _login_form(visit, login_id, {"login_id": wrong})
        self._attempts.give_back(attempt)
        await self._authority.ledger.answer_request(request_id, RequestState.AUTHENTICATED, "customer_logged_in", now)
        return _on(visit)

    async def _visit(self, request_id: str, browser: Browser) -> Visit:
        office = self._authority.office
        digest, now = browser.digest(request_id), int(self._authority.clock())
        asked = await self._authority.ledger.request(request_id, digest, now)
        provider, client = office.providers.get(asked.provider), office.clients.get(asked.client_id)
        if provider is None or client is None or provider.authentication is not Authentication.HOSTED:
            raise NotGranted(Why.REQUEST_UNKNOWN)
        operator_name = office.organisations.get(client.service.operator, "")
        return Visit(asked, provider, client.service.name, operator_name, office.relay_name, browser)

    async def _offered(self, visit: Visit, http: web.Request) -> Page:
        asked = visit.request
        try:
            lists = self._authority.institutions.holdings(visit.provider, asked.ci, asked.client_id)
            held = await run_while_connected(http, lists)
        except DeskFault as error:
            self._complain(visit, error)
            raise Hindered(SILENT, f"{visit.place}/consent") from error
        former = await self._authority.ledger.consent_of(asked.ci, asked.client_id, asked.provider)
        sections = sections_of(scopes_at(visit.provider), held, asked.request_id)
        return Page(
            sections,
            questions_of(visit.provider.industry, sections),
            day_in_korea(self._authority.clock()),
            former.particulars if former else None,
        )

    async def _sent(self, http: web.Request) -> tuple[str, Browser, dict[str, tuple[str, ...]]]:
        """A form of ours, from a browser of ours. Raises Hindered."""
        request_id = http.match_info["request_id"]
        browser = Browser.of(http.cookies, request_id)
        form = dict(await form_of(http))
        if browser is None or not browser.fits(request_id, one(form, "form_token", _TOKEN_MOST)):
            raise Hindered(FORGED)
        return request_id, browser, form

    def _chosen(self, visit: Visit, offered: Page, choices: Choices) -> Particulars:
        try:
            return sound(particulars_of(offered, choices), visit.provider, self._authority.clock())
        except Unsound as error:  # our own questions have no such answers: the institution told of impossible assets
            self._complain(visit, error)
            raise Hindered(SILENT) from error

    def _complain(self, visit: Visit, error: DeskFault | Unsound) -> None:
        self._authority.complain(f"institution {visit.provider.org_code}", str(error))

    def _turn(self, request_id: str) -> asyncio.Lock:
        return self._turns.setdefault(request_id, asyncio.Lock())


def _pressed(button: str, request_id: str, browser: Browser) -> bytes:
    return browser.digest(request_id) + button.encode()


def _on(visit: Visit) -> web.Response:
    return web.Response(status=303, headers={"Location": f"{visit.place}/consent"})


def _unread(form: Form) -> dict[str, str]:
    """What the customer has to mend before the institution can be asked, by the id of the field."""
    flaws = {name: flaw(form, name, most) for name, (_, most) in _TYPED.items()}
    return {name: _MEND[wrong].format(*_TYPED[name]) for name, wrong in flaws.items() if wrong}


def _login_form(
    visit: Visit, login_id: str = "", mistakes: Mapping[str, str] | None = None, status: int = 422
) -> web.Response:
    return page(
        "login.html",
        status if mistakes else 200,
        origins_of(visit.request),
        visit=visit,
        login_id=login_id,
        mistakes=mistakes or {},
    )


def _too_many(visit: Visit, login_id: str, wait_s: int) -> web.Response:
    """The form again: too many wrong logins of this address or login id, whether this one was right or not."""
    minutes = -(-wait_s // 60)
    answer = _login_form(visit, login_id, {"login_id": _TOO_MANY.format(minutes)}, 429)
    answer.headers["Retry-After"] = str(wait_s)
    return answer


def _consent_form(
    visit: Visit,
    offered: Page,
    choices: Choices,
    *,
    mistakes: dict[str, str] | None = None,
) -> web.Response:
    return page(
        "consent.html",
        422 if mistakes else 200,
        origins_of(visit.request),
        visit=visit,
        page=offered,
        choices=choices,
        mistakes=mistakes or {},
        contradictions=contradictions_in(offered, choices),
        which=WHICH,
        purposes=PURPOSES,
        periods=PERIODS,
    )
