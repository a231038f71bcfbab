import aiohttp
import pytest_asyncio
from aiohttp import web

from relay.infra.dns.connector import tcp_connector


@pytest_asyncio.fixture
async def port():
    async def hello(_request):
        return web.Response(text="hello", headers={"Connection": "close"})

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_a_session_resolves_names_through_the_loop(names, port):
    for _ in range(2):
        async with (
            aiohttp.ClientSession(connector=tcp_connector()) as session,
            session.get(f"http://bank.test:{port}/") as answer,
        ):
            assert await answer.text() == "hello"
    assert names.asked == {"bank.test": 1}
