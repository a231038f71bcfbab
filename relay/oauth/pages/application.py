"""The pages as one aiohttp application, for a listener of its own: customers have no client certificate."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from relay.domain.ledger import NotGranted, Unreachable
from relay.oauth.flows import PAGES, RETURN
from relay.oauth.pages.forms import BODY_MOST
from relay.oauth.pages.hosted import HostedPages
from relay.oauth.pages.problems import AWAY, BROKEN, BY_STATUS, BY_WHY, MALFORMED, Hindered
from relay.oauth.pages.redirect_result import InstitutionKey, Returned
from relay.oauth.pages.rendering import STYLE_PATH, guard, guarded, problem_page, style
from relay.oauth.services import Authority

REQUEST_ID: Final = "[A-Za-z0-9_-]{1,128}"
"""What a request_id is made of (`authority.random`). Anything else is no page: PostgreSQL refuses a NUL in a text."""

_log: Final = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def pages_application(authority: Authority, key_of: InstitutionKey) -> web.Application:
    """The application. `key_of` gives the key of an institution of the redirect way, by org_code.

    `authority.random` must give URL-safe texts of at least 192 random bits: they become secrets.
    """
    app = web.Application(middlewares=[_telling()], client_max_size=BODY_MOST)
    app.on_response_prepare.append(guard)
    hosted = HostedPages(authority)
    place = f"{PAGES}/{{request_id:{REQUEST_ID}}}"
    app.add_routes(
        [
            web.get(STYLE_PATH, style),
            # HEAD is what link previews send; it must not bind a request to a browser
            web.post(RETURN, Returned(authority, key_of).take),
            web.get(place, hosted.show_login, allow_head=False),
            web.post(f"{place}/login", hosted.login),
            web.get(f"{place}/consent", hosted.show_consent, allow_head=False),
            web.post(f"{place}/consent", hosted.consent),
            web.post(f"{place}/cancel", hosted.cancel),
        ]
    )
    return app


def turned_away(status: int) -> web.Response:
    """The page for what is no request: no HTTP, or of no place. `status` is that of HTTP."""
    broken = status >= web.HTTPInternalServerError.status_code
    answer = problem_page(BROKEN if broken else BY_STATUS.get(status, MALFORMED))
    guarded(answer)  # no signal of the application sees it
    return answer


def _telling() -> Middleware:
    """Whatever goes wrong becomes a page. The log has the kind of error and its place, no text: texts hold values."""

    @web.middleware
    async def told(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Hindered as hindered:
            return problem_page(hindered.problem, hindered.again)
        except NotGranted as refused:
            if refused.why in BY_WHY:
                return problem_page(BY_WHY[refused.why])
            _log.error("the ledger refused a page: %s", refused.why)
        except Unreachable:  # the outage of the ledger is logged
            return problem_page(AWAY)
        except web.HTTPException as refused:
            return problem_page(BY_STATUS.get(refused.status, MALFORMED))
        except Exception as error:
            level = logging.DEBUG if request.transport is None else logging.ERROR  # a browser that left is no fault
            _log.log(level, "a page broke: %s", _where(error))
        return problem_page(BROKEN)

    return told


def _where(error: BaseException) -> str:
    """The kind of an error and the line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    line = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"
    return f"{type(error).__name__} at {line}"
