"""Where the pages send a customer back to: the operator's callback, so that a walk in a browser ends somewhere."""

import html
from typing import Final

from aiohttp import web

PATH: Final = "/callback"
_PAGE: Final = """<!doctype html><html lang="ko"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><h1>{title}</h1><p>{text}</p><pre>{rows}</pre></html>"""


def application() -> web.Application:
    """The callback of every service of the street: shows what came, keeps nothing."""
    app = web.Application()
    app.router.add_get(PATH, _shown)
    return app


async def _shown(request: web.Request) -> web.Response:
    came = "code" in request.query
    title = "전송요구가 전달되었습니다" if came else "전송요구가 전달되지 않았습니다"
    text = "가상 마이데이터사업자가 받은 값입니다. 이 인가코드로 접근토큰을 발급받습니다 (개별인증-002)."
    rows = "\n".join(f"{name} = {value}" for name, value in request.query.items())
    page = _PAGE.format(title=title, text=text if came else "", rows=html.escape(rows))
    return web.Response(text=page, content_type="text/html")
