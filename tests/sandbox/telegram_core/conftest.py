"""The simulated savings bank, and the relay's conversion of its telegrams, without sockets."""

import json
from datetime import UTC, date, datetime
from importlib.resources import files

import pytest
from mydata_sandbox.institution.provider import Provider, ProviderRequest
from mydata_sandbox.parties import MEDIATED
from mydata_sandbox.telegram_core.core import TelegramCore
from mydata_sandbox.world.handlers import DATA_HANDLERS

from relay.policy.mediation.conversion import Call
from relay.policy.mediation.paging.collection import PageCollection
from relay.policy.mediation.paging.seal import CursorSeal
from relay.runtime.settings.telegram_files import load_telegram_files
from relay.standard.catalogue import load_catalogue

BANK = MEDIATED["savings_bank"]
TODAY = date(2026, 11, 29)
CATALOGUE = load_catalogue()
PERIOD = {"from_date": "20260901", "to_date": "20261129", "limit": "20"}
PARAMETERS = {"BA01": {"limit": "20"}, "BA04": PERIOD, "BA13": PERIOD, "BA23": PERIOD}
NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


class MediatedBank:
    """The core behind the relay's conversion. `.requests` are the telegrams of all calls."""

    def __init__(self):
        loaded = load_telegram_files(files("mydata_sandbox.telegram_core") / "layouts", "bank")
        assert loaded.problems == ()
        self.institution = loaded.institution
        self.core = TelegramCore(BANK.org_code, CATALOGUE, DATA_HANDLERS, lambda: TODAY, lambda: NOW)
        self.standard = Provider(BANK.org_code, "bank", CATALOGUE, DATA_HANDLERS, lambda: TODAY)
        self.requests = []

    def ask_core(self, api_code, ci, **parameters):
        """Returns status and body of one page, from the core."""
        values = {"org_code": BANK.org_code, **PARAMETERS.get(api_code, {}), **parameters}
        call = Call(BANK.org_code, values, consent="consent-1", user_ci=ci)
        collection = PageCollection(self.institution.conversions[api_code], call, CursorSeal(bytes(32)))
        while not collection.is_complete:
            request = collection.build_request(f"{len(self.requests):010}", NOW.timestamp())
            self.requests.append(request)
            collection.accept(self.core.respond(request))
        answer = collection.build_answer()
        return answer.status, json.loads(answer.body)

    def ask_standard(self, api_code, ci, **parameters):
        """Returns status and body of one page, from an institution of the standard with the same accounts."""
        api = next(api for api in CATALOGUE.iter_apis("bank") if api.api_code == api_code)
        values = {"org_code": BANK.org_code, "search_timestamp": "0", **PARAMETERS.get(api_code, {}), **parameters}
        reply = self.standard.respond(ProviderRequest(api.method, api.path_for("bank"), values, ci))
        return reply.status, reply.body


@pytest.fixture
def bank():
    """Returns the savings bank behind the relay's conversion."""
    return MediatedBank()
