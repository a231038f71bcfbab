import aiohttp
import pytest_asyncio
from aiohttp import web

from relay.infra.dns.connector import create_tcp_connector


@pytest_asyncio.fixture
async def port():
    async def respond(_request):
        return web.Response(text="hello", headers={"Connection": "close"})

    app = web.Application()
    app.router.add_get("/", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_a_session_resolves_names_through_the_loop(names, port):
    for _ in range(2):
        async with (
            aiohttp.ClientSession(connector=create_tcp_connector()) as session,
            session.get(f"http://bank.test:{port}/") as response,
        ):
            assert await response.text() == "hello"
    assert names.asked == {"bank.test": 1}


async def test_each_call_has_a_connection_of_its_own(aiohttp_server):
    peers = []

    async def respond(request):
        peers.append(request.transport.get_extra_info("peername"))
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", respond)
    server = await aiohttp_server(app)
    async with aiohttp.ClientSession(connector=create_tcp_connector()) as session:
        for _ in range(3):
            async with session.get(server.make_url("/")) as response:
                assert await response.text() == "hello"
    assert len(set(peers)) == 3
