"""The door of the endpoints behind the gateway: what they hear of a call, what goes back."""

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from relay.domain.queue_full import CALLER
from relay.endpoint.calls import Answer
from relay.endpoint.handlers import BODY_MOST, RUNNER, Endpoint, application, turned_away
from relay.endpoint.serving import served

TRAN_ID = "ZOPA000001M00000000000001"


class Desk:
    """Two endpoints, `/asked` and `/given`; `heard` are their calls, `raised` what was raised at the door."""

    def __init__(self):
        self.heard, self.raised, self.fails = [], [], None
        self.callers = []
        self.answer = Answer(200, {"list": [{"name": "가"}], "count": "1"}, {"X-More": "x"})

    async def answered(self, call):
        self.heard.append(call)
        self.callers.append(CALLER.get())
        call.note.api_code = "S102"
        if self.fails is not None:
            raise self.fails
        return self.answer

    def refuse(self, call, error):
        self.raised.append(error)
        call.note.reason = getattr(error, "reason", "broken")
        return Answer(getattr(error, "status", 500), {"error": "told"})

    async def send(self, method, target, body=b"", headers=()):
        told = headers or [("x-api-tran-id", TRAN_ID), ("x-relay-operators", "ZOPA000001")]
        url = URL(f"http://authority{target}", encoded=True)
        return await self.session.request(method, url, data=body or None, headers=told)


@pytest.fixture
async def desk(tmp_path):
    made = Desk()
    rows = {
        "/asked": Endpoint("GET", made.answered, made.refuse),
        "/given": Endpoint("POST", made.answered, made.refuse),
    }
    connector = aiohttp.UnixConnector(str(tmp_path / "a.sock"))
    async with (
        served(application(rows), turned_away, **RUNNER) as runner,
        aiohttp.ClientSession(connector=connector) as made.session,
    ):
        await web.UnixSite(runner, str(tmp_path / "a.sock")).start()
        yield made


async def test_a_call_is_heard_as_it_was_handed_over(desk):
    headers = [
        ("X-Api-Tran-Id", TRAN_ID),
        ("x-relay-operators", "ZOPA000001, ZOPB000001,,*,ZOPA00000"),
        ("x-relay-fault", "address_unknown"),
        ("Authorization", "Bearer a"),
        ("Authorization", "Bearer b"),
    ]
    await desk.send("POST", "/given?a=%20&b=+", b"the body", headers)
    (call,) = desk.heard
    assert (call.tran_id, call.fault, call.query, call.body) == (TRAN_ID, "address_unknown", "a=%20&b=+", b"the body")
    assert call.operators == {"ZOPA000001", "ZOPB000001"}
    assert desk.callers == ["ZOPA000001,ZOPB000001"]
    assert call.headers["authorization"] == ("Bearer a", "Bearer b")


@pytest.mark.parametrize(("target", "query"), [("/asked", None), ("/asked?a=b?c", "a=b?c")])
async def test_no_query_is_none(desk, target, query):
    await desk.send("GET", target)
    assert desk.heard[0].query == query


async def test_an_answer_goes_back_whole_with_the_note_for_the_record(desk):
    answer = await desk.send("GET", "/asked")
    assert await answer.json() == {"list": [{"name": "가"}], "count": "1"}
    assert (answer.status, answer.headers["X-More"], answer.headers["x-relay-api-code"]) == (200, "x", "S102")
    assert (answer.headers["x-api-tran-id"], answer.headers["Cache-Control"]) == (TRAN_ID, "no-store")


async def test_an_answer_without_a_body_has_none(desk):
    desk.answer = Answer(302, None, {"Location": "/elsewhere"})
    answer = await desk.session.get("http://authority/asked", allow_redirects=False)
    assert (answer.status, await answer.read(), answer.headers["Location"]) == (302, b"", "/elsewhere")


@pytest.mark.parametrize(("method", "target", "allowed"), [("POST", "/asked", "GET"), ("DELETE", "/given", "POST")])
async def test_another_method_reaches_nobody_and_is_told_the_right_one(desk, method, target, allowed):
    answer = await desk.send(method, target)
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    assert ([one.reason for one in desk.raised], desk.heard) == (["method_not_allowed"], [])


@pytest.mark.parametrize("sent", ["", "short", "zopa000001m00000000000001", f"{TRAN_ID}1"])
async def test_a_post_without_a_tran_id_reaches_nobody_and_a_get_tells_it_itself(desk, sent):
    headers = [("x-api-tran-id", sent)]
    answers = [await desk.send("POST", "/given", b"x", headers), await desk.send("GET", "/asked", b"", headers)]
    assert [answer.status for answer in answers] == [400, 200]
    assert [one.reason for one in desk.raised] == ["header_malformed"]
    assert [call.tran_id for call in desk.heard] == [""]
    assert ["x-api-tran-id" in answer.headers for answer in answers] == [False, False]


@pytest.mark.parametrize(("size", "status"), [(BODY_MOST, 200), (BODY_MOST + 1, 400)])
async def test_a_body_that_is_too_large_reaches_nobody(desk, size, status):
    answer = await desk.send("POST", "/given", b"x" * size)
    assert (answer.status, [one.reason for one in desk.raised]) == (status, ["body_too_large"] * (status == 400))


async def test_whatever_is_raised_is_answered_by_who_refuses_and_the_note_stays(desk):
    desk.fails = KeyError("x")
    answer = await desk.send("GET", "/asked")
    assert (answer.status, await answer.json()) == (500, {"error": "told"})
    assert (answer.headers["x-relay-api-code"], answer.headers["x-relay-reason"]) == ("S102", "broken")


@pytest.mark.parametrize(
    ("status", "error"), [(400, "invalid_request"), (404, "invalid_request"), (500, "server_error")]
)
def test_what_is_no_call_is_told_so(status, error):
    answer = turned_away(status)
    assert (answer.status, answer.headers["Server"]) == (status, "relay")
    assert error.encode() in answer.body
