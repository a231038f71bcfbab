import asyncio
import re
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from relay.domain.authorization.signed_consent import Defect, NotVerified
from relay.infra.certifiers.rest import MAX_RESPONSE_BYTES, ApiClient


@asynccontextmanager
async def client_of(handler, **changed):
    """Opens a client of a server on loopback that answers by `handler`."""
    app = web.Application()
    app.router.add_post("/api", handler)
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        options = {"base_url": str(server.make_url("")), "context": None, "timeout_s": 5.0} | changed
        yield ApiClient(session, **options, relay="ZRLA000001", random=lambda size: b"r" * size)


def respond_with(body=b'{"a":"b"}', status=200, headers=None):
    async def handler(_request):
        return web.Response(body=body, status=status, headers=headers)

    return handler


async def doubt_of(handler, **changed):
    async with client_of(handler, **changed) as api:
        with pytest.raises(NotVerified) as caught:
            await api.post("/api", {}, json={"ci": "secret"})
    assert "secret" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_post_returns_status_and_json_object(status):
    async with client_of(respond_with(status=status)) as api:
        response = await api.post("/api", {}, json={})
    assert (response.status, response.body) == (status, {"a": "b"})
    assert "b" not in repr(response).replace("ApiResponse", "")


async def test_a_form_or_json_is_sent_with_our_tran_id():
    requests = []

    async def handler(request):
        requests.append(
            (request.content_type, request.headers["x-api-tran-id"], request.headers["X-Of"], await request.text())
        )
        return web.json_response({})

    async with client_of(handler) as api:
        await api.post("/api", {"X-Of": "us"}, form={"a": "b c"})
        await api.post("/api", {"X-Of": "us"}, json={"a": "목"})
    assert [(kind, header, text) for kind, _, header, text in requests] == [
        ("application/x-www-form-urlencoded", "us", "a=b+c"),
        ("application/json", "us", '{"a": "\\ubaa9"}'),
    ]
    assert all(re.fullmatch("ZRLA000001R[0-9A-Z]{14}", tran_id) for _, tran_id, _, _ in requests)


@pytest.mark.parametrize(
    "handler",
    [
        respond_with(b""),
        respond_with(b"<html>"),
        respond_with(b"[]"),
        respond_with(b'{"a":1,"a":2}'),
        respond_with(b"\xff"),
        respond_with(b"[" * 20_000),
        respond_with(b'{"a":"' + b"x" * MAX_RESPONSE_BYTES + b'"}'),
        respond_with(b"{}", headers={"Content-Encoding": "gzip"}),
        respond_with(b"", 302, {"Location": "/api"}),
    ],
    ids=["nothing", "html", "list", "doubled", "not UTF-8", "deep", "long", "compressed", "redirect"],
)
async def test_anything_but_a_small_json_object_is_broken(handler):
    assert await doubt_of(handler) is Defect.CERTIFIER_BROKEN


async def test_a_refused_connection_is_silent():
    assert await doubt_of(respond_with(), base_url="http://127.0.0.1:1") is Defect.CERTIFIER_SILENT


async def test_a_reset_connection_is_silent():
    async def handler(request):
        request.transport.abort()
        return web.Response()

    assert await doubt_of(handler) is Defect.CERTIFIER_SILENT


async def test_an_incomplete_response_is_broken():
    async def handler(request):
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"{")
        request.transport.close()
        return response

    assert await doubt_of(handler) is Defect.CERTIFIER_BROKEN


async def test_a_timeout_is_silent():
    ended = asyncio.Event()

    async def handler(_request):
        await ended.wait()
        return web.Response()

    async with client_of(handler, timeout_s=0.05) as api:
        with pytest.raises(NotVerified) as caught:
            await api.post("/api", {}, json={})
        ended.set()
    assert caught.value.reason is Defect.CERTIFIER_SILENT


async def test_a_failed_request_is_not_repeated():
    paths = []

    async def handler(request):
        paths.append(request.path)
        request.transport.abort()
        return web.Response()

    assert await doubt_of(handler) is Defect.CERTIFIER_SILENT
    assert len(paths) == 1


async def test_a_response_with_another_tran_id_is_broken():
    headers = {"x-api-tran-id": "ZRLA000001R00000000000000"}
    assert await doubt_of(respond_with(headers=headers)) is Defect.CERTIFIER_BROKEN


async def test_a_response_may_repeat_its_tran_id():
    async def handler(request):
        return web.json_response({}, headers={"x-api-tran-id": request.headers["x-api-tran-id"]})

    async with client_of(handler) as api:
        assert (await api.post("/api", {}, json={})).status == 200
