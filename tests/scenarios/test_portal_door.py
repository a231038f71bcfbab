"""The portal's door over real sockets: who is turned away there, and in which words."""

import pytest
from stage.case import cases
from stage.institution import Institution
from stage.town import BANK, portal_of, short_socket
from stage.verdict import happens

pytestmark = pytest.mark.asyncio(loop_scope="module")


def TOWN(certificates):  # noqa: N802 - a constant of the module, made late
    sections = {"portal": portal_of(certificates), "authority": {"socket": short_socket()}}
    return [Institution(BANK, "bank")], sections


@pytest.mark.parametrize("case", [case for case in cases() if case.portal], ids=lambda case: case.name)
async def test_case(town, case):
    await happens(town, case)


async def test_a_good_call_goes_to_the_authority_and_nowhere_else(town):
    good = town.get("/v1/mgmts/status", operator="ZPTL000001", token="x", x_api_type=None)
    answer = await town.ask(good, town.certificates.portal)
    assert (answer.status, answer.rsp_code) == (500, "50001")  # nobody listens on its socket
    exchange = await town.record()
    assert (exchange.reason, exchange.operator) == ("authority_unreachable", "ZPTL000001")
    assert town.bank.seen == []
