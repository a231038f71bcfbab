"""schemathesis drives a gateway from the OpenAPI document of its APIs."""

import asyncio
import json
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import schemathesis
from fixtures.gateway_environment import LONG_TIMEOUTS, ONE
from fixtures.institution import Institution, build_response
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mydata_sandbox.institution.provider import Provider, ProviderRequest
from mydata_sandbox.parties import INSTITUTIONS
from mydata_sandbox.scenarios.data_examples import DAY
from mydata_sandbox.world.handlers import DATA_HANDLERS
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from relay.domain.fault import FAULTS, FaultOwner
from relay.domain.ids import INDUSTRIES
from relay.policy.documents.openapi import build_openapi
from relay.runtime.commands.apis.document_source import load_document_source
from relay.standard.catalogue import load_catalogue

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHECKS = (
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
NO_LIMITS = {
    "rates": {
        "weekly": False,
        "operator_provider": {"per_second": 100000, "burst": 100000},
        "provider": {"per_second": 100000, "burst": 100000},
        "handshakes": {"per_second": 100000, "burst": 100000},
        "refused": {name: {"per_second": 100000, "burst": 100000} for name in ("connection", "certificate", "address")},
    }
}
OURS = {fault.rsp_code for fault in FAULTS.values() if fault.status == 500 and fault.owner is FaultOwner.RELAY}
"""rsp_codes of HTTP 500 that are failures of the relay."""

OLD = {"from_date": "20150101", "to_date": "20150110", "from_month": "201501", "to_month": "201501"}
"""A period that is more than 5 years ago."""

LONG = OLD | {"to_date": "20170110", "to_month": "201701"}
"""A period of more than 12 months."""

PARAMETER_REFUSALS = tuple(fault.words for fault in FAULTS.values() if fault.rsp_code == "40001")
"""Messages of the relay about parameters; institutions have others."""


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    institutions = [
        Institution(org_code, industry, timeouts=LONG_TIMEOUTS) for industry, (org_code, _) in INSTITUTIONS.items()
    ]
    return institutions, NO_LIMITS


def answer_as(provider):
    """Returns the script of an institution that answers with the sandbox's data."""

    async def script(call, wire):
        url = urlsplit(call.target)
        values = json.loads(call.body) if call.body else dict(parse_qsl(url.query))
        values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
        reply = provider.respond(ProviderRequest(call.method, url.path, values))
        body = json.dumps(reply.body, ensure_ascii=False).encode()
        await wire.send(build_response(body, status=f"{reply.status} -"))

    return script


def is_text(field):
    return field.type == "AH"


def cut(value, limit):
    """Returns a text with at most `limit` bytes."""
    return value.encode(errors="ignore")[:limit].decode(errors="ignore") if isinstance(value, str) else value


class Drive:
    """Calls a gateway as the document says, with generated values, and checks its answers.

    Each API is called `examples` times with generated values alone, with known ones, and with periods long ago.
    """

    def __init__(self, env, industry, examples):
        self.env = env
        self.industry = industry
        self.source = load_document_source()
        self.provider, _ = INSTITUTIONS[industry]
        self.token = env.tokens.get_valid(ONE, self.provider, industry)
        self.settings = settings(
            max_examples=examples,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        self.answers = Counter()
        pair = env.certificates.operators[0]
        self.transport = {
            "base_url": f"https://127.0.0.1:{env.process.ports[0]}",
            "session": requests.Session(),
            "verify": str(env.certificates.ca),
            "cert": (str(pair.certificate), str(pair.private_key)),
        }

    def run(self):
        document = build_openapi(self.source, [self.industry])
        with self.transport["session"] as session:
            session.trust_env = False
            for result in schemathesis.openapi.from_dict(document).get_all_operations():
                for mode in GenerationMode:
                    self.call_operation(result.ok(), mode)

    def call_operation(self, operation, mode):
        api_id, *_ = operation.definition.raw["x-api-ids"]
        example = self.source.examples[self.industry].get(api_id)
        known = dict(example.request) if example else {}
        api = self.source.catalogue.apis[api_id]

        for values in ({}, known, known | OLD, known | LONG):
            self.call_with(operation, mode, api, values)

    def call_with(self, operation, mode, api, values):
        @self.settings
        @given(case=operation.as_strategy(generation_mode=mode), is_identified=st.integers(0, 3).map(bool))
        def call(case, is_identified):
            headers = {"Authorization": f"Bearer {self.token}"}
            if is_identified:
                headers["x-api-tran-id"] = self.env.make_tran_id()
                self.complete(case, api, values)
            self.check(case, case.call(headers=headers, **self.transport), mode, is_identified)

        call()

    def complete(self, case, api, values):
        """Sets the institution, known values, and what a schema cannot say: the order of days, lengths in bytes."""
        limits = {field.name: int(field.length) for field in (*api.request.query, *api.request.body) if is_text(field)}
        for parameters in (case.query, case.body, case.path_parameters):
            if isinstance(parameters, dict):
                fixed = {**values, "org_code": self.provider}
                parameters |= {name: value for name, value in fixed.items() if name in parameters}
                parameters |= {name: cut(parameters[name], limits[name]) for name in limits.keys() & parameters.keys()}
                for start, end in (("from_date", "to_date"), ("from_month", "to_month")):
                    if {start, end} <= parameters.keys():
                        parameters[start], parameters[end] = sorted(map(str, (parameters[start], parameters[end])))

    def check(self, case, response, mode, is_identified):
        answer = response.json()
        self.answers[answer["rsp_code"]] += 1
        assert response.status_code < 500 or answer["rsp_code"] not in OURS, response.text
        case.validate_response(response, checks=CHECKS)
        if is_identified and mode is GenerationMode.POSITIVE:
            assert not answer["rsp_msg"].startswith(PARAMETER_REFUSALS), response.text


@pytest.mark.parametrize("industry", [pytest.param("bank", marks=pytest.mark.full), "card"])
async def test_generated_calls_get_no_failure_of_the_relay(env, industry):
    assert await drive(env, industry, 2) >= {"00000", "40001", "40002", "40004", "40303", "40304"}


@pytest.mark.full
@pytest.mark.parametrize("industry", INDUSTRIES)
async def test_many_generated_calls_get_no_failure_of_the_relay(env, industry):
    assert "00000" in await drive(env, industry, 8)


async def drive(env, industry, examples):
    """Calls all APIs of an industry. Returns the rsp_codes of the answers."""
    for institution in env.institutions.values():
        provider = Provider(institution.org_code, institution.industry, load_catalogue(), DATA_HANDLERS, lambda: DAY)
        institution.script = answer_as(provider)
    calls = Drive(env, industry, examples)
    await asyncio.to_thread(calls.run)
    return set(calls.answers)
