"""The hosted flow: the relay shows login and consent pages and gets CI and assets from the institution (규격 3.2.1)."""

import asyncio
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote
from weakref import WeakValueDictionary

from aiohttp import web

from relay.domain.authorization.consent import Particulars
from relay.domain.authorization.request import MAX_LOGINS, AuthorizationRequest, RequestState
from relay.domain.institution import InstitutionError
from relay.domain.korea import date_in_korea
from relay.domain.ledger import LedgerRefused, Reason
from relay.endpoint.connections.timed import run_while_connected
from relay.oauth.dependencies import AuthorityDependencies
from relay.oauth.flows import PAGES_PATH
from relay.oauth.pages.attempts import Attempt, LoginAttempts
from relay.oauth.pages.browser import Browser, cookie_name
from relay.oauth.pages.callbacks import Denial, RecentRedirects, build_denial_url, form_action_sources
from relay.oauth.pages.choices import (
    PERIODS,
    PURPOSES,
    WHICH,
    Choices,
    ConsentPage,
    Form,
    build_particulars,
    find_contradictions,
    find_mistakes,
    initial_choices,
    read_choices,
)
from relay.oauth.pages.completion import (
    InvalidParticulars,
    complete_particulars,
    deny_request,
    record_consent,
    redirect_to_operator,
)
from relay.oauth.pages.error_pages import INSTITUTION_UNAVAILABLE, INVALID_FORM_TOKEN, PageError
from relay.oauth.pages.forms import find_flaw, read_field, read_form
from relay.oauth.pages.questions import build_sections, select_questions
from relay.oauth.pages.rendering import render_page
from relay.oauth.scopes import load_scopes
from relay.policy.settings.directory import AuthenticationMethod, Provider
from relay.primitives.log_throttle import LogThrottle

_log = logging.getLogger(__name__)

_RETRY_QUERY: Final = "again"
"""Query of the single redirect for a browser without a cookie: another tab may just have received the cookie."""

MAX_LOGIN_ID_LENGTH: Final = 64
MAX_PASSWORD_LENGTH: Final = 128
_MAX_FORM_TOKEN: Final = 64
_LOGIN_FIELDS: Final = {"login_id": ("아이디", MAX_LOGIN_ID_LENGTH), "password": ("비밀번호", MAX_PASSWORD_LENGTH)}
"""Korean name and maximum length of each login field."""

_CORRECTIONS: Final = {
    "missing": "{}를 입력해 주세요.",
    "long": "{}는 {}자까지 입력할 수 있습니다.",
    "unprintable": "{}에 쓸 수 없는 문자가 있습니다. 다시 입력해 주세요.",
}
_TOO_MANY_LOGINS: Final = "로그인 실패가 반복되어 로그인이 일시적으로 제한되었습니다. {}분 후에 다시 시도해 주세요."
_NO_RESPONSE: Final = "금융회사가 응답하지 않아 로그인하지 못했습니다. 잠시 후 다시 시도해 주세요."


@dataclass(frozen=True, slots=True)
class PageContext:
    """A request and its browser, with the values that the templates show."""

    request: AuthorizationRequest
    provider: Provider
    service_name: str
    operator_name: str
    relay_name: str
    browser: Browser = field(repr=False)

    @property
    def path(self) -> str:
        """Returns the path of the request's pages."""
        return path_of(self.request.request_id)

    @property
    def provider_name(self) -> str:
        """Returns the institution's name."""
        return self.provider.name

    @property
    def form_token(self) -> str:
        """Returns the CSRF token of this browser's forms."""
        return self.browser.form_token(self.request.request_id)


def path_of(request_id: str) -> str:
    """Returns the path of a request's pages."""
    return f"{PAGES_PATH}/{quote(request_id, safe='')}"


class HostedPages:
    """Handlers of the pages. POSTs of one request are handled one after the other.

    Otherwise a hundred concurrent password guesses would be tried before the first of them is counted.
    """

    def __init__(self, dependencies: AuthorityDependencies) -> None:
        self._dependencies = dependencies
        self._redirects = RecentRedirects()
        self._attempts = LoginAttempts(dependencies)
        self._throttle = LogThrottle()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def show_login(self, http: web.Request) -> web.Response:
        """Handles GET: shows the login form and binds the request to the first browser."""
        request_id = http.match_info["request_id"]
        known_browser = Browser.from_cookies(http.cookies, request_id)
        browser = known_browser or Browser(self._dependencies.random())
        try:
            context = await self._load_context(request_id, browser)
        except LedgerRefused as error:
            if known_browser is None and error.reason is Reason.REQUEST_UNKNOWN and not http.query_string:
                return web.Response(status=303, headers={"Location": f"{path_of(request_id)}?{_RETRY_QUERY}"})
            raise
        if context.request.state is RequestState.AUTHENTICATED:
            return _redirect_to_consent(context)
        response = _login_form(context)
        if known_browser is None:
            # Lax and not Strict: customers come from the operator's page, and Strict would withhold the cookie when
            # they open the request again. Forms of other sites are still sent without it.
            remaining_s = context.request.expires_at - int(self._dependencies.clock())
            response.set_cookie(
                cookie_name(request_id),
                browser.secret,
                max_age=remaining_s,
                path="/",
                secure=True,
                httponly=True,
                samesite="Lax",
            )
        return response

    async def login(self, http: web.Request) -> web.Response:
        """Handles POST: the institution checks the login. Its CI must be that of the operator's request."""
        request_id, browser, form = await self._read_own_form(http)
        login_id, password = (
            read_field(form, "login_id", MAX_LOGIN_ID_LENGTH),
            read_field(form, "password", MAX_PASSWORD_LENGTH),
        )
        async with self._lock(request_id):
            context = await self._load_context(request_id, browser)
            if context.request.state is RequestState.AUTHENTICATED:
                return _redirect_to_consent(context)
            mistakes = _find_login_mistakes(form)
            if mistakes:
                return _login_form(context, login_id, mistakes)
            attempt = self._attempts.count(http, context.provider.org_code, login_id)
            if isinstance(attempt, int):
                return _refuse_login(context, login_id, attempt)
            try:
                ci = await self._dependencies.institutions.login(context.provider, login_id, password, attempt.address)
            except InstitutionError:
                self._attempts.uncount(attempt)
                return _login_form(context, login_id, {"login_id": _NO_RESPONSE}, 503)
            return await self._finish_login(context, login_id, ci, attempt)

    async def show_consent(self, http: web.Request) -> web.Response:
        """Handles GET: shows the consent form, with the choices of a consent in force."""
        browser = Browser.from_cookies(http.cookies, http.match_info["request_id"])
        if browser is None:
            raise PageError(INVALID_FORM_TOKEN)
        context = await self._load_context(http.match_info["request_id"], browser)
        if context.request.state is RequestState.OPEN:
            return web.Response(status=303, headers={"Location": context.path})
        page = await self._load_consent_page(context, http)
        return _consent_form(context, page, initial_choices(page))

    async def consent(self, http: web.Request) -> web.Response:
        """Handles POST: validates the choices, records the consent and redirects to the operator with a code."""
        request_id, browser, form = await self._read_own_form(http)
        async with self._lock(request_id):
            recent = self._recent_redirect("consent", request_id, browser)
            if recent is not None:
                return recent
            context = await self._load_context(request_id, browser)
            if context.request.state is RequestState.OPEN:
                return web.Response(status=303, headers={"Location": context.path})
            page = await self._load_consent_page(context, http)
            choices = read_choices(page, form)
            mistakes = find_mistakes(page, choices)
            if mistakes:
                return _consent_form(context, page, choices, mistakes=mistakes)
            location = await record_consent(
                self._dependencies, context.request, self._build_particulars(context, page, choices)
            )
            return self._end("consent", context, location)

    async def cancel(self, http: web.Request) -> web.Response:
        """Handles POST: the customer cancels (access_denied)."""
        request_id, browser, _ = await self._read_own_form(http)
        async with self._lock(request_id):
            recent = self._recent_redirect("cancel", request_id, browser)
            if recent is not None:
                return recent
            context = await self._load_context(request_id, browser)
            location = await deny_request(self._dependencies, context.request, Denial.CANCELLED)
            return self._end("cancel", context, location)

    def _recent_redirect(self, button: str, request_id: str, browser: Browser) -> web.Response | None:
        """Returns the recent redirect of this button; None if it was not pressed just before."""
        location = self._redirects.get(_sender_key(button, request_id, browser), self._dependencies.clock())
        return None if location is None else redirect_to_operator(location)

    def _end(self, button: str, context: PageContext, location: str) -> web.Response:
        sender = _sender_key(button, context.request.request_id, context.browser)
        self._redirects.remember(sender, location, self._dependencies.clock())
        return redirect_to_operator(location)

    async def _finish_login(
        self, context: PageContext, login_id: str, ci: str | None, attempt: Attempt
    ) -> web.Response:
        """Treats the right password of another customer like a wrong one, so that guessing reveals nothing."""
        request_id, now = context.request.request_id, int(self._dependencies.clock())
        if ci is None or not hmac.compare_digest(ci.encode(), context.request.ci.encode()):
            request = await self._dependencies.ledger.count_failed_login(request_id, now)
            if request.state is RequestState.LOCKED:
                return redirect_to_operator(build_denial_url(context.request, Denial.TOO_MANY_LOGINS))
            remaining = MAX_LOGINS - request.failures
            message = f"아이디 또는 비밀번호가 올바르지 않습니다. {remaining}회 더 시도할 수 있습니다."
            return _login_form(context, login_id, {"login_id": message})
        self._attempts.uncount(attempt)
        await self._dependencies.ledger.answer_request(
            request_id, RequestState.AUTHENTICATED, "customer_logged_in", now
        )
        return _redirect_to_consent(context)

    async def _load_context(self, request_id: str, browser: Browser) -> PageContext:
        settings = self._dependencies.settings
        digest, now = browser.digest(request_id), int(self._dependencies.clock())
        request = await self._dependencies.ledger.load_request(request_id, digest, now)
        provider, client = settings.providers.get(request.provider), settings.clients.get(request.client_id)
        if provider is None or client is None or provider.authentication is not AuthenticationMethod.HOSTED:
            raise LedgerRefused(Reason.REQUEST_UNKNOWN)
        operator_name = settings.organisations.get(client.service.operator, "")
        return PageContext(
            request=request,
            provider=provider,
            service_name=client.service.name,
            operator_name=operator_name,
            relay_name=settings.relay_name,
            browser=browser,
        )

    async def _load_consent_page(self, context: PageContext, http: web.Request) -> ConsentPage:
        request = context.request
        try:
            load_holdings = self._dependencies.institutions.holdings(context.provider, request.ci, request.client_id)
            holdings = await run_while_connected(http, load_holdings)
        except InstitutionError as error:
            raise PageError(INSTITUTION_UNAVAILABLE, f"{context.path}/consent") from error
        former = await self._dependencies.ledger.find_consent(request.ci, request.client_id, request.provider)
        sections = build_sections(load_scopes(context.provider.industry), holdings, request.request_id)
        return ConsentPage(
            sections,
            select_questions(context.provider.industry, sections),
            date_in_korea(self._dependencies.clock()),
            former.particulars if former else None,
        )

    async def _read_own_form(self, http: web.Request) -> tuple[str, Browser, dict[str, tuple[str, ...]]]:
        """Returns request_id, browser and form after the CSRF check. Raises PageError."""
        request_id = http.match_info["request_id"]
        browser = Browser.from_cookies(http.cookies, request_id)
        form = dict(await read_form(http))
        if browser is None or not browser.is_form_token(request_id, read_field(form, "form_token", _MAX_FORM_TOKEN)):
            raise PageError(INVALID_FORM_TOKEN)
        return request_id, browser, form

    def _build_particulars(self, context: PageContext, page: ConsentPage, choices: Choices) -> Particulars:
        try:
            return complete_particulars(build_particulars(page, choices), context.provider, self._dependencies.clock())
        except InvalidParticulars as error:  # the form cannot cause it: the institution returned invalid assets
            self._log_invalid_assets(context.provider.org_code, str(error))
            raise PageError(INSTITUTION_UNAVAILABLE) from error

    def _log_invalid_assets(self, org_code: str, fields: str) -> None:
        if count := self._throttle.count_event(org_code, self._dependencies.clock()):
            _log.warning('institution sent invalid assets: org_code=%s fields="%s" count=%d', org_code, fields, count)

    def _lock(self, request_id: str) -> asyncio.Lock:
        return self._locks.setdefault(request_id, asyncio.Lock())


def _sender_key(button: str, request_id: str, browser: Browser) -> bytes:
    return browser.digest(request_id) + button.encode()


def _redirect_to_consent(context: PageContext) -> web.Response:
    return web.Response(status=303, headers={"Location": f"{context.path}/consent"})


def _find_login_mistakes(form: Form) -> dict[str, str]:
    """Returns messages about login fields to correct, by field id."""
    flaws = {name: find_flaw(form, name, max_length) for name, (_, max_length) in _LOGIN_FIELDS.items()}
    return {name: _CORRECTIONS[flaw].format(*_LOGIN_FIELDS[name]) for name, flaw in flaws.items() if flaw}


def _login_form(
    context: PageContext, login_id: str = "", mistakes: Mapping[str, str] | None = None, status: int = 422
) -> web.Response:
    return render_page(
        "login.html",
        status if mistakes else 200,
        form_action_sources(context.request),
        context=context,
        login_id=login_id,
        mistakes=mistakes or {},
    )


def _refuse_login(context: PageContext, login_id: str, wait_s: int) -> web.Response:
    """Shows the form again without trying the login: too many failed ones of this address or login id."""
    minutes = -(-wait_s // 60)
    response = _login_form(context, login_id, {"login_id": _TOO_MANY_LOGINS.format(minutes)}, 429)
    response.headers["Retry-After"] = str(wait_s)
    return response


def _consent_form(
    context: PageContext, page: ConsentPage, choices: Choices, *, mistakes: dict[str, str] | None = None
) -> web.Response:
    return render_page(
        "consent.html",
        422 if mistakes else 200,
        form_action_sources(context.request),
        context=context,
        page=page,
        choices=choices,
        mistakes=mistakes or {},
        contradictions=find_contradictions(page, choices),
        which=WHICH,
        purposes=PURPOSES,
        periods=PERIODS,
    )
