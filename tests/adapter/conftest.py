"""The example bank with a core that answers from a list, without sockets."""

import pytest
from fixtures.savings_bank import CASES
from fixtures.telegram_core import TELEGRAMS

from relay.adapter.institutions import AdaptedInstitution, AdapterPlan
from relay.policy.mediation.conversion import Call, add_position, build_context
from relay.policy.mediation.inspection import encode_response
from relay.policy.mediation.paging.seal import CursorSeal
from relay.runtime.settings.telegram_files import load_telegram_files

BANK = "ZBAC000001"
NOW = 1_800_000_000.0


class ListedCore:
    """Answers each request with the next of `responses`: values of a telegram, bytes, or an exception."""

    def __init__(self, conversions):
        self.conversions = conversions
        self.responses = []
        self.requests = []
        self.deadlines = []
        self.open_lines = 1

    async def exchange(self, write, deadline):
        request = write(f"{len(self.requests) + 1:012d}")
        self.requests.append(request)
        self.deadlines.append(deadline)
        response = self.responses.pop(0)
        if isinstance(response, Exception):
            raise response
        return response if isinstance(response, bytes) else self._encode(request, response)

    def _encode(self, request, values):
        conversion = next(each for each in self.conversions.values() if each.code.encode() == request[10:14])
        account = request[190:210].decode().strip()
        context = build_context(Call(BANK, {"account_num": account}), request[41:53].decode(), NOW)
        if conversion.paging is not None:
            add_position(context, conversion.paging, (), 100)
        return encode_response(conversion, {"resp_code": "0000", **values}, context)


@pytest.fixture(scope="session")
def conversions():
    """The compiled APIs of the example."""
    return load_telegram_files(TELEGRAMS, "bank").institution.conversions


@pytest.fixture
def listed_core(conversions):
    """A core that answers from its list."""
    return ListedCore(conversions)


@pytest.fixture
def plan(listed_core, conversions):
    """A plan with the example bank alone."""
    bank = AdaptedInstitution(BANK, conversions, listed_core, 10.0)
    return AdapterPlan({BANK: bank}, CursorSeal(b"s" * 32))


@pytest.fixture(scope="session")
def cases():
    """The cases of all APIs."""
    return CASES
