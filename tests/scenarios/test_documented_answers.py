"""The documents of the standard beside gateway and authority as processes: all calls of the demo, generated tokens."""

import asyncio

import jsonschema
import pytest
import pytest_asyncio
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mydata_sandbox.environment.running import running_environment
from mydata_sandbox.scenarios import all_calls
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from relay.policy.documents.json_schema import build_json_schema
from relay.policy.documents.openapi import build_openapi
from relay.policy.documents.source import OAUTH, get_code
from relay.runtime.commands.apis.document_source import load_document_source

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHECKS = (
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory):
    async with running_environment(tmp_path_factory.mktemp("running") / "env", portal=True) as environment:
        yield environment


@pytest.mark.full
async def test_every_answer_of_the_demo_fits_its_schema(running, monkeypatch):
    document = build_json_schema(load_document_source())
    answers = []

    def validate(api, body):
        answers.append(api.api_id)
        schema = {"$ref": f"#/$defs/{get_code(api)}_Response", "$defs": document["$defs"]}
        return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(body)]

    monkeypatch.setattr(all_calls, "find_violations", validate)
    monkeypatch.setattr(all_calls, "find_strict_violations", validate)
    calls = await all_calls.make_all_calls(running, lambda _: None)
    assert [call for call in calls if not call.ok] == []
    assert len(set(answers)) >= 88  # the relay itself calls 지원-001 to -003


@pytest.mark.full
async def test_generated_token_calls_get_no_failure_of_the_relay(running):
    assert await asyncio.to_thread(drive, running.environment) >= {200, 302, 400}


def drive(environment):
    """Calls the token APIs as the document says. Returns the statuses of the answers."""
    document = build_openapi(load_document_source(), [OAUTH])
    statuses = set()
    with requests.Session() as session:
        session.trust_env = False
        for result in schemathesis.openapi.from_dict(document).get_all_operations():
            for mode in GenerationMode:
                statuses |= call_operation(environment, session, result.ok(), mode)
    return statuses


def call_operation(environment, session, operation, mode):
    operator = environment.operators[0]
    known = {
        "org_code": environment.institutions["bank"].org_code,
        "client_id": operator.client_ids[0],
        "client_secret": operator.client_secrets[0],
        "redirect_uri": operator.callback,
    }
    statuses = set()

    @settings(max_examples=8, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), number=st.integers(0, 10**13), is_known=st.booleans())
    def call(case, number, is_known):
        headers = {}
        if is_known:
            headers["x-api-tran-id"] = f"{operator.org_code}M{number:014}"
            for parameters in (case.query, case.body):
                if isinstance(parameters, dict):
                    parameters |= {name: value for name, value in known.items() if name in parameters}
        response = case.call(
            base_url=environment.gateway,
            session=session,
            headers=headers,
            verify=str(environment.certificates.ca),
            cert=(str(operator.identity.certificate), str(operator.identity.private_key)),
            allow_redirects=False,
        )
        statuses.add(response.status_code)
        assert response.status_code < 500, response.text
        case.validate_response(response, checks=CHECKS)

    call()
    return statuses
