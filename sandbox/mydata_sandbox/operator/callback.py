"""The operator's callback, to which the pages redirect the customer."""

import html
from typing import Final

from aiohttp import web

PATH: Final = "/callback"
_PAGE: Final = """<!doctype html><html lang="ko"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><h1>{title}</h1><p>{text}</p><pre>{rows}</pre></html>"""


def application() -> web.Application:
    """Returns the callback of all services of the sandbox: it shows the query and stores nothing."""
    app = web.Application()
    app.router.add_get(PATH, _show)
    return app


async def _show(request: web.Request) -> web.Response:
    has_code = "code" in request.query
    title = "전송요구가 전달되었습니다" if has_code else "전송요구가 전달되지 않았습니다"
    text = "가상 마이데이터사업자가 받은 값입니다. 이 인가코드로 접근토큰을 발급받습니다 (개별인증-002)."
    rows = "\n".join(f"{name} = {value}" for name, value in request.query.items())
    page = _PAGE.format(title=title, text=text if has_code else "", rows=html.escape(rows))
    return web.Response(text=page, content_type="text/html")
