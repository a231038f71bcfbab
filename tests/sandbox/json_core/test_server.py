import json

import aiohttp
from mydata_sandbox.json_core.core import CoreResponse
from mydata_sandbox.json_core.server import build_application, serve_json_core
from mydata_sandbox.sockets import bind_socket, build_url


class Echo:
    """A core that returns what it received."""

    def respond(self, request):
        values = {"path": request.path, "query": dict(request.query), "body": request.body}
        return CoreResponse(201, values | {"no": request.headers.get("x-request-no")})


async def test_requests_and_responses_are_in_euc_kr(aiohttp_client):
    client = await aiohttp_client(build_application(Echo()))
    body = json.dumps({"이름": "가"}, ensure_ascii=False).encode("euc-kr")
    answer = await client.post("/core/v2/a?page=1", data=body, headers={"X-Request-No": "7"})
    assert (answer.status, answer.headers["Content-Type"]) == (201, "application/json; charset=euc-kr")
    assert json.loads((await answer.read()).decode("euc-kr")) == {
        "path": "/core/v2/a", "query": {"page": "1"}, "body": {"이름": "가"}, "no": "7",
    }  # fmt: skip


async def test_the_core_is_served_until_the_block_ends():
    listener = bind_socket(0)
    async with serve_json_core(Echo(), listener), aiohttp.ClientSession() as session:
        answer = await session.get(f"{build_url(listener, 'http')}/x")
        assert answer.status == 201
