"""The OpenAPI document: valid, complete, deterministic, with valid examples."""

import json
import re

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from relay.policy.documents.openapi import build_openapi, get_group_title
from relay.policy.documents.source import GROUPS


def find_references(part):
    if isinstance(part, dict):
        yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
        for value in part.values():
            yield from find_references(value)
    elif isinstance(part, list):
        for value in part:
            yield from find_references(value)


def find_examples(document):
    """Yields the place, the schema and the value of each example of a body."""
    for path, operations in document["paths"].items():
        for operation in operations.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for body in bodies:
                for content in body.get("content", {}).values():
                    for name, example in content.get("examples", {}).items():
                        yield f"{path} {name}", content["schema"], example["value"]


@pytest.mark.parametrize("group", GROUPS)
def test_the_document_of_a_group_is_valid(source, group):
    document = build_openapi(source, [group])
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    assert [tag["name"] for tag in document["tags"]] == [group]


def test_the_document_of_all_apis_is_valid(whole):
    assert [str(error) for error in OpenAPIV31SpecValidator(whole).iter_errors()] == []


def test_every_api_is_in_the_document(source, operations):
    api_ids = {api_id for operation in operations.values() for api_id in operation["x-api-ids"]}
    assert api_ids == set(source.catalogue.apis)
    assert len(api_ids) == 91


def test_every_operation_has_its_own_id(whole, operations):
    assert len(operations) == sum(map(len, whole["paths"].values()))
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", name) for name in operations)


def test_every_component_is_used_and_every_reference_has_one(whole):
    names = {f"#/components/{kind}/{name}" for kind in ("schemas", "responses") for name in whole["components"][kind]}
    assert set(find_references(whole)) == names


def test_every_example_fits_its_schema(whole):
    examples = list(find_examples(whole))
    assert len(examples) > 180
    for place, schema, value in examples:
        validator = jsonschema.Draft202012Validator(schema | {"components": whole["components"]})
        assert [error.message for error in validator.iter_errors(value)] == [], place


def test_examples_of_parameters_fit_their_schemas(operations):
    for name, operation in operations.items():
        for parameter in operation["parameters"]:
            if "example" in parameter:
                assert jsonschema.Draft202012Validator(parameter["schema"]).is_valid(parameter["example"]), name


def test_two_documents_are_equal_byte_for_byte(source, whole):
    assert json.dumps(build_openapi(source)) == json.dumps(whole)


def test_the_order_of_groups_is_fixed(source):
    assert build_openapi(source, ["card", "bank"]) == build_openapi(source, ["bank", "card"])


def test_a_document_has_only_what_its_groups_need(source):
    document = build_openapi(source, ["oauth"])
    assert set(document["components"]["securitySchemes"]) == {"mutualTLS"}
    assert not [name for name in document["components"]["responses"] if name.startswith("Error")]
    assert "UpToDate" not in document["components"]["schemas"]


def test_the_support_token_is_one_operation_with_two_servers(operations):
    operation = operations["S101"]
    assert operation["x-api-ids"] == ["지원-101", "지원-001"]
    assert [server["url"] for server in operation["servers"]] == ["https://{relay}", "https://{portal}"]
    assert operation["tags"] == ["support", "portal"]


def test_groups_have_the_names_of_the_standard(source):
    assert get_group_title(source, "bank") == "은행 업권"
    assert get_group_title(source, "oauth") == "인증 API"
