"""Every misfortune of tests/cases, over real sockets: what the caller reads, what is recorded, who was bothered."""

import ssl
from asyncio import IncompleteReadError
from datetime import datetime

import pytest
from stage.case import cases
from stage.institution import Institution
from stage.misdeeds import SCRIPTS
from stage.town import BANK, CARD
from stage.waiting import until

from relay.domain.consent import KOREA
from relay.domain.fault import FAULTS

pytestmark = pytest.mark.asyncio(loop_scope="module")

PREPAID = ["PP01", "PP02", "PP03", "PP04"]


class Refusing(Institution):
    """One that has an address and is not at home."""

    async def open(self):
        await super().open()
        await self.shut()


def closed_now():
    """A slot of six hours that opens in half an hour or later."""
    now = datetime.now(KOREA)
    opens = (now.hour * 2 + now.minute // 30 + 2) % 48
    closes = (opens + 12) % 48 or 48
    return f"{opens // 2:02}{opens % 2 * 30:02}:{closes // 2:02}{closes % 2 * 30:02}"


def all_day():
    """Maintenance around now, whatever the hour: all of a day but the hour on the other side of it."""
    away = datetime.now(KOREA).hour + 12
    return {"day": "daily", "start": f"{(away + 1) % 24:02}00", "end": f"{away % 24:02}00"}


def _secured(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.private_key)
    return context


def TOWN(certificates):  # noqa: N802 - a constant of the module, made late
    other = certificates.authority.issue("other", serial_number="999-81-07777", stem="other", addresses=[])
    tls = {"link": "tls", "ca": str(certificates.ca)}
    return [
        Institution(BANK, "bank"),
        Institution(CARD, "card"),
        Institution("ZBAA000002", "bank", apis={"left_out": ["BA21", "BA22", "BA23"], "turned_on": PREPAID}),
        Institution("ZBAA000003", "bank", checking="lenient"),
        Refusing("ZBAA000004", "bank"),
        Institution("ZBAA000005", "bank", _secured(certificates.foreign_operator), **tls),
        Institution("ZBAA000006", "bank", _secured(certificates.providers["bank"]), **tls),
        Institution("ZBAA000008", "bank", version="v2", min_version="v2"),
        Institution("ZBAA000009", "bank", _secured(other), **tls),
        Institution("ZBAA000010", "bank", scheduled_slots=[closed_now()]),
        Institution("ZBAA000011", "bank", maintenance=[all_day()]),
    ], {}


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
async def test_case(town, case):
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
    if then["status"] == 200 and "fault" not in then:
        assert answer.rsp_code == then.get("rsp_code", "00000")
    else:
        assert answer.rsp_code == then["rsp_code"]
    if "fault" in then:
        assert list(answer.json()) == ["rsp_code", "rsp_msg"]
        assert answer.json()["rsp_msg"].startswith(FAULTS[then["fault"]].words)
    assert then.get("says", "") in answer.json()["rsp_msg"]
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


async def recorded(town, then, line, tran_id):
    """One exchange, closed, saying the same."""
    (exchange,) = await until(lambda: town.exchanges, "a record")
    assert (exchange.reason, exchange.status) == (then.get("fault", ""), then["status"])
    assert exchange.rsp_code == then.get("rsp_code", "00000")
    assert exchange.ended >= exchange.started > 0
    assert exchange.attempts == (1 if then.get("reaches") or then.get("fault") == "provider_refused" else 0)
