"""A case of `tests/cases` happens: what the caller reads, what is recorded, who was bothered."""

import re
from asyncio import IncompleteReadError

import pytest

from relay.domain.fault import FAULTS
from stage.misdeeds import SCRIPTS
from stage.waiting import until

HANGUL = re.compile("[가-힣]")
ENGLISH = re.compile(r"[a-z]+ [a-z]+")


async def happens(town, case):
    """Let a case happen, and hold what comes of it against what it says."""
    given, then = case.given, case.then
    institution = town.institutions.get(case.provider, town.bank)
    institution.script = SCRIPTS[given.get("institution", "answers_well")]
    pair = getattr(town.certificates, given["certificate"]) if "certificate" in given else town.pair_of(case.operator)
    data, tran_id = case.request(town)
    async with await town.line(pair, address=given.get("address")) as line:
        line.send(data)
        if then.get("cut"):
            with pytest.raises(IncompleteReadError):
                await line.answer()
        else:
            holds(await line.answer(), then, tran_id)
        if then.get("closes") is True:  # "later": what is still being sent is read first
            assert await line.hung_up()
        await town.quiet()
        await recorded(town, then, line, tran_id)
    assert sum(len(one.seen) for one in town.institutions.values()) == then.get("reaches", 0)


def holds(answer, then, tran_id):
    """The answer is what the case says, in the form every answer has."""
    assert (answer.status, answer.headers["content-type"]) == (then["status"], "application/json; charset=UTF-8")
    assert answer.headers["x-api-tran-id"] == (then["echo"] if then.get("echo", "first") != "first" else tran_id)
    if "error" in then:
        assert answer.json()["error"] == then["error"]
        said(answer.json()["error_description"], then)
        assert answer.headers["cache-control"] == "no-store"
        return
    if "noted" in then:  # it went out as it came
        assert (answer.headers["x-api-tran-id"], bool(answer.body)) == (tran_id, True)
        return
    if then["status"] == 200 and "fault" not in then:
        assert answer.rsp_code == then.get("rsp_code", "00000")
    else:
        assert answer.rsp_code == then["rsp_code"]
    if "fault" in then:
        said(answer.json()["rsp_msg"], then)
        assert list(answer.json()) == ["rsp_code", "rsp_msg"]
        assert answer.json()["rsp_msg"].startswith(FAULTS[then["fault"]].words)
    assert answer.headers.get("connection") == ("close" if then.get("closes") else None)
    assert answer.headers.get("retry-after") == then.get("retry_after")
    assert ("allow" in answer.headers) == (answer.status == 405)
    allowed = {
        "allow",
        "content-type",
        "content-length",
        "x-api-tran-id",
        "connection",
        "retry-after",
        "content-encoding",
    }
    assert set(answer.headers) <= allowed


def said(words, then):
    """The message says what the case says, in Korean: no sentence of any other language, nothing that was sent."""
    assert then.get("says", "") in words
    assert HANGUL.search(words)
    assert not ENGLISH.search(words)


async def recorded(town, then, line, tran_id):
    """One exchange, closed, saying the same."""
    (exchange,) = await until(lambda: town.exchanges, "a record")
    assert (exchange.reason, exchange.status) == (then.get("fault", then.get("noted", "")), then["status"])
    assert exchange.rsp_code == then.get("rsp_code", "00000")
    if exchange.rsp_code in {"40102", "40103"}:
        assert exchange.detail.startswith("address=127.0.0.")
    assert exchange.ended >= exchange.started > 0
    assert exchange.attempts == (1 if then.get("reaches") or then.get("fault") == "provider_refused" else 0)
