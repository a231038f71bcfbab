"""Every misfortune of tests/cases, over real sockets: what the caller reads, what is recorded, who was bothered."""

import ssl
from datetime import datetime

import pytest
from stage.case import cases
from stage.institution import Institution
from stage.town import BANK, CARD
from stage.verdict import happens

from relay.domain.authorization.consent import KOREA

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
        Institution("ZBAA000009", "bank", _secured(other), **tls),
        Institution("ZBAA000010", "bank", scheduled_slots=[closed_now()]),
        Institution("ZBAA000012", "bank", checking="off"),
        Institution("ZBAA000011", "bank", maintenance=[all_day()]),
    ], {}


@pytest.mark.parametrize("case", [case for case in cases() if not case.portal], ids=lambda case: case.name)
async def test_case(town, case):
    await happens(town, case)
