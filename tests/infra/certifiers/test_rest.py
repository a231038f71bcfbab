import asyncio
import re
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from relay.domain.authorization.proof import Doubt, Unproven
from relay.infra.certifiers.rest import ANSWER_MOST, Line


@asynccontextmanager
async def line_to(handler, **changed):
    """A line to a server on loopback that answers by `handler`."""
    app = web.Application()
    app.router.add_post("/api", handler)
    server = TestServer(app)
    await server.start_server()
    async with aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
        given = {"base_url": str(server.make_url("")), "context": None, "timeout_s": 5.0} | changed
        yield Line(session, given["base_url"], given["context"], given["timeout_s"], "ZRLA000001", lambda n: b"r" * n)
    await server.close()


def answering(body=b'{"a":"b"}', status=200, headers=None):
    async def handler(_request):
        return web.Response(body=body, status=status, headers=headers)

    return handler


async def doubt_of(handler, **changed):
    async with line_to(handler, **changed) as line:
        with pytest.raises(Unproven) as caught:
            await line.post("/api", {}, json={"ci": "secret"})
    assert "secret" not in str(caught.value)
    return caught.value.doubt


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_status_and_object_come_back(status):
    async with line_to(answering(status=status)) as line:
        said = await line.post("/api", {}, json={})
    assert (said.status, said.body) == (status, {"a": "b"})
    assert "b" not in repr(said).replace("Said", "")


async def test_a_form_or_json_is_sent_with_our_tran_id():
    heard = []

    async def handler(request):
        heard.append(
            (request.content_type, request.headers["x-api-tran-id"], request.headers["X-Of"], await request.text())
        )
        return web.json_response({})

    async with line_to(handler) as line:
        await line.post("/api", {"X-Of": "us"}, form={"a": "b c"})
        await line.post("/api", {"X-Of": "us"}, json={"a": "목"})
    assert [(kind, of, text) for kind, _, of, text in heard] == [
        ("application/x-www-form-urlencoded", "us", "a=b+c"),
        ("application/json", "us", '{"a": "\\ubaa9"}'),
    ]
    assert all(re.fullmatch("ZRLA000001R[0-9A-Z]{14}", tran_id) for _, tran_id, _, _ in heard)


@pytest.mark.parametrize(
    "handler",
    [
        answering(b""),
        answering(b"<html>"),
        answering(b"[]"),
        answering(b'{"a":1,"a":2}'),
        answering(b"\xff"),
        answering(b"[" * 20_000),
        answering(b'{"a":"' + b"x" * ANSWER_MOST + b'"}'),
        answering(b"{}", headers={"Content-Encoding": "gzip"}),
        answering(b"", 302, {"Location": "/api"}),
    ],
    ids=["nothing", "html", "list", "doubled", "no text", "deep", "long", "packed", "redirect"],
)
async def test_what_is_no_small_object_is_broken(handler):
    assert await doubt_of(handler) is Doubt.CERTIFIER_BROKEN


async def test_nobody_there_is_silent():
    assert await doubt_of(answering(), base_url="http://127.0.0.1:1") is Doubt.CERTIFIER_SILENT


async def test_who_hangs_up_is_silent():
    async def handler(request):
        request.transport.abort()
        return web.Response()

    assert await doubt_of(handler) is Doubt.CERTIFIER_SILENT


async def test_half_an_answer_is_broken():
    async def handler(request):
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"{")
        request.transport.close()
        return response

    assert await doubt_of(handler) is Doubt.CERTIFIER_BROKEN


async def test_who_takes_too_long_is_silent():

    ended = asyncio.Event()

    async def handler(_request):
        await ended.wait()
        return web.Response()

    async with line_to(handler, timeout_s=0.05) as line:
        with pytest.raises(Unproven) as caught:
            await line.post("/api", {}, json={})
        ended.set()
    assert caught.value.doubt is Doubt.CERTIFIER_SILENT


async def test_a_question_is_asked_once_whatever_comes_back():
    asked = []

    async def handler(request):
        asked.append(request.path)
        request.transport.abort()
        return web.Response()

    assert await doubt_of(handler) is Doubt.CERTIFIER_SILENT
    assert len(asked) == 1


async def test_an_answer_that_names_another_call_is_none():
    named = {"x-api-tran-id": "ZRLA000001R00000000000000"}
    assert await doubt_of(answering(headers=named)) is Doubt.CERTIFIER_BROKEN


async def test_an_answer_may_name_its_call():
    async def handler(request):
        return web.json_response({}, headers={"x-api-tran-id": request.headers["x-api-tran-id"]})

    async with line_to(handler) as line:
        assert (await line.post("/api", {}, json={})).status == 200
