"""aiohttp application of the pages, for a separate listener without client certificates."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from relay.domain.ledger import LedgerDown, LedgerRefused
from relay.oauth.dependencies import AuthorityDependencies
from relay.oauth.flows import PAGES_PATH, RETURN_PATH
from relay.oauth.pages.error_pages import (
    ERRORS_BY_REASON,
    ERRORS_BY_STATUS,
    INTERNAL_ERROR,
    MALFORMED,
    UNAVAILABLE,
    PageError,
)
from relay.oauth.pages.forms import MAX_BODY_BYTES
from relay.oauth.pages.hosted import HostedPages
from relay.oauth.pages.redirect_result import RedirectResultHandler, ResultKeyLookup
from relay.oauth.pages.rendering import STYLE_PATH, add_headers, get_stylesheet, render_error_page, set_headers

REQUEST_ID: Final = "[A-Za-z0-9_-]{1,128}"
"""Form of a request_id (`dependencies.random`). Other values get 404: PostgreSQL refuses a NUL in a text."""

_log: Final = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_pages_application(dependencies: AuthorityDependencies, get_key: ResultKeyLookup) -> web.Application:
    """Returns the application. `get_key` returns the key of an institution of the redirect flow, by org_code.

    `dependencies.random` must return URL-safe texts of at least 192 random bits: they become secrets.
    """
    app = web.Application(middlewares=[_build_error_middleware()], client_max_size=MAX_BODY_BYTES)
    app.on_response_prepare.append(add_headers)
    hosted = HostedPages(dependencies)
    path = f"{PAGES_PATH}/{{request_id:{REQUEST_ID}}}"
    app.add_routes(
        [
            web.get(STYLE_PATH, get_stylesheet),
            # link previews send HEAD: it must not bind a request to a browser
            web.post(RETURN_PATH, RedirectResultHandler(dependencies, get_key).handle),
            web.get(path, hosted.show_login, allow_head=False),
            web.post(f"{path}/login", hosted.login),
            web.get(f"{path}/consent", hosted.show_consent, allow_head=False),
            web.post(f"{path}/consent", hosted.consent),
            web.post(f"{path}/cancel", hosted.cancel),
        ]
    )
    return app


def build_error_response(status: int) -> web.Response:
    """Returns the error page of a request that is not HTTP or has no path. `status` is the HTTP status."""
    is_server_error = status >= web.HTTPInternalServerError.status_code
    response = render_error_page(INTERNAL_ERROR if is_server_error else ERRORS_BY_STATUS.get(status, MALFORMED))
    set_headers(response)  # the application's signals are not sent for it
    return response


def _build_error_middleware() -> Middleware:
    """Returns the middleware that turns exceptions into pages. It logs type and place, not the text with its values."""

    @web.middleware
    async def handle_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except PageError as error:
            return render_error_page(error.page, error.retry_path)
        except LedgerRefused as error:
            if error.reason in ERRORS_BY_REASON:
                return render_error_page(ERRORS_BY_REASON[error.reason])
            _log.error("page refused by the ledger: reason=%s", error.reason)
        except LedgerDown:  # the ledger logs its outage
            return render_error_page(UNAVAILABLE)
        except web.HTTPException as error:
            return render_error_page(ERRORS_BY_STATUS.get(error.status, MALFORMED))
        except Exception as error:
            level = logging.DEBUG if request.transport is None else logging.ERROR  # not for a disconnected browser
            _log.log(level, "page failed: error=%s place=%s", type(error).__name__, _find_place(error))
        return render_error_page(INTERNAL_ERROR)

    return handle_errors


def _find_place(error: BaseException) -> str:
    """Returns the file and line that raised an error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
