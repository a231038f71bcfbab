"""Every case of tests/cases over real sockets: the response, the record, the calls at institutions."""

import ssl
from datetime import datetime

import pytest
from fixtures.case import load_cases
from fixtures.gateway_environment import BANK, CARD, SHORT_READS, SHORT_TIMEOUTS
from fixtures.institution import Institution
from fixtures.verdict import run_case

from relay.domain.korea import KOREA

pytestmark = pytest.mark.asyncio(loop_scope="module")

PREPAID = ["PP01", "PP02", "PP03", "PP04"]


class NotListening(Institution):
    """Has an address, but does not listen."""

    async def open(self):
        await super().open()
        await self.stop()


def build_closed_slot():
    """Builds a slot of six hours that opens in half an hour or later."""
    now = datetime.now(KOREA)
    opens = (now.hour * 2 + now.minute // 30 + 2) % 48
    closes = (opens + 12) % 48 or 48
    return f"{opens // 2:02}{opens % 2 * 30:02}:{closes // 2:02}{closes % 2 * 30:02}"


def build_maintenance():
    """Builds maintenance of the whole day except one hour, twelve hours from now."""
    free_hour = datetime.now(KOREA).hour + 12
    return {"day": "daily", "start": f"{(free_hour + 1) % 24:02}00", "end": f"{free_hour % 24:02}00"}


def _build_tls_context(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.private_key)
    return context


def ENVIRONMENT(certificates):  # noqa: N802 - a constant that needs a fixture
    other = certificates.authority.issue("other", serial_number="999-81-07777", stem="other", addresses=[])
    tls = {"link": "tls", "ca": str(certificates.ca)}
    return [
        Institution(BANK, "bank", timeouts=SHORT_TIMEOUTS),
        Institution(CARD, "card"),
        Institution("ZBAA000002", "bank", apis={"left_out": ["BA21", "BA22", "BA23"], "turned_on": PREPAID}),
        Institution("ZBAA000003", "bank", checking="lenient"),
        NotListening("ZBAA000004", "bank"),
        Institution("ZBAA000005", "bank", _build_tls_context(certificates.foreign_operator), **tls),
        Institution("ZBAA000006", "bank", _build_tls_context(certificates.providers["bank"]), **tls),
        Institution("ZBAA000009", "bank", _build_tls_context(other), **tls),
        Institution("ZBAA000010", "bank", scheduled_slots=[build_closed_slot()]),
        Institution("ZBAA000012", "bank", checking="off"),
        Institution("ZBAA000011", "bank", maintenance=[build_maintenance()]),
    ], {"gateway": {"timeouts": SHORT_READS}}


@pytest.mark.parametrize("case", [case for case in load_cases() if not case.portal], ids=lambda case: case.name)
async def test_case(env, case):
    await run_case(env, case)
