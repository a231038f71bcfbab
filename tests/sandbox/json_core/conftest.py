"""The simulated insurer, and the relay's conversion of its JSON, without sockets."""

import json
from datetime import UTC, date, datetime
from importlib.resources import files
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from mydata_sandbox.institution.provider import Provider, ProviderRequest
from mydata_sandbox.json_core.core import CoreRequest, JsonCore
from mydata_sandbox.parties import MEDIATED
from mydata_sandbox.world.handlers import DATA_HANDLERS

from relay.policy.mediation.conversion import Call
from relay.policy.mediation.json_api.requests import JsonResponse
from relay.policy.mediation.paging.collection import PageCollection
from relay.policy.mediation.paging.seal import CursorSeal
from relay.runtime.settings.json_files import load_json_files
from relay.standard.catalogue import load_catalogue

INSURER = MEDIATED["life_insurer"]
TODAY = date(2026, 11, 29)
CATALOGUE = load_catalogue()
PERIOD = {"from_date": "20260101", "to_date": "20261129", "limit": "20"}
PARAMETERS = {
    **dict.fromkeys(("IS06", "IS07", "IS14"), PERIOD),
    "IS01": {"limit": "20"},
    "IS11": {"limit": "20"},
}
NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


class MediatedInsurer:
    """The core behind the relay's conversion. `.requests` are the requests of all calls."""

    def __init__(self):
        loaded = load_json_files(files("mydata_sandbox.json_core") / "layouts", "insu")
        assert loaded.problems == ()
        self.institution = loaded.institution
        self.core = JsonCore(CATALOGUE, DATA_HANDLERS, lambda: TODAY)
        self.standard = Provider(INSURER.org_code, "insu", CATALOGUE, DATA_HANDLERS, lambda: TODAY)
        self.requests = []

    def send(self, request):
        """Returns the response of the core to a request of the relay."""
        url = urlsplit(request.target)
        headers = {name.lower(): value for name, value in request.headers}
        body = json.loads(request.body.decode("euc-kr")) if request.body else {}
        query = dict(parse_qsl(url.query, encoding="euc-kr"))
        response = self.core.respond(CoreRequest(request.method, unquote(url.path), query, headers, body))
        content = json.dumps(response.body, ensure_ascii=False).encode("euc-kr")
        return JsonResponse(response.status, content, "application/json; charset=euc-kr")

    def ask_core(self, api_code, ci, **parameters):
        """Returns status and body of one page, from the core."""
        values = {"org_code": INSURER.org_code, **PARAMETERS.get(api_code, {}), **parameters}
        call = Call(INSURER.org_code, values, consent="consent-1", user_ci=ci)
        collection = PageCollection(self.institution.conversions[api_code], call, CursorSeal(bytes(32)))
        while not collection.is_complete:
            request = collection.build_request(f"{len(self.requests):012}", NOW.timestamp())
            self.requests.append(request)
            collection.accept(self.send(request))
        answer = collection.build_answer()
        return answer.status, json.loads(answer.body)

    def ask_standard(self, api_code, ci, **parameters):
        """Returns status and body of one page, from an institution of the standard with the same policies."""
        api = next(api for api in CATALOGUE.iter_apis("insu") if api.api_code == api_code)
        values = {"org_code": INSURER.org_code, "search_timestamp": "0", **PARAMETERS.get(api_code, {}), **parameters}
        reply = self.standard.respond(ProviderRequest(api.method, api.path_for("insu"), values, ci))
        return reply.status, reply.body


@pytest.fixture
def insurer():
    """Returns the insurer behind the relay's conversion."""
    return MediatedInsurer()
