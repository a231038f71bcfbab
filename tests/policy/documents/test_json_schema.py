"""JSON Schemas of bodies."""

import jsonschema

from relay.policy.documents.json_schema import DIALECT, build_json_schema


def test_the_document_is_a_valid_schema(source):
    document = build_json_schema(source)
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$schema"] == DIALECT


def test_every_api_has_a_response_and_every_post_a_request(source):
    names = set(build_json_schema(source)["$defs"])
    apis = source.catalogue.apis.values()
    assert len([name for name in names if name.endswith("_Response")]) == 91
    assert len([name for name in names if name.endswith("_Request")]) == sum(api.method == "POST" for api in apis)


def test_every_example_fits_its_definition(source):
    document = build_json_schema(source)
    for group in source.examples:
        for api in source.list_apis(group):
            example = source.get_example(api, group)
            if example is not None:
                code = api.api_code or f"S{api.api_id[-3:]}"
                reference = {"$ref": f"#/$defs/{code}_Response", "$defs": document["$defs"]}
                errors = jsonschema.Draft202012Validator(reference).iter_errors(dict(example.response))
                assert [error.message for error in errors] == [], api.api_id


def test_a_group_has_only_its_own_bodies(source):
    assert set(build_json_schema(source, ["oauth"])["$defs"]) == {
        *("AU01_Response", "AU02_Request", "AU02_Response", "AU03_Request", "AU03_Response"),
        *("AU04_Request", "AU04_Response", "AU11_Request", "AU11_Response"),
    }
