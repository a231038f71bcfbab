"""Schemas of fields: what they allow is what the relay accepts."""

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.api import Field, Presence
from relay.policy.call.fields import compile_field_check
from relay.policy.call.parameters import compile_parameter_check
from relay.policy.documents.field_schemas import (
    LIMIT_PATTERN,
    build_field_schema,
    build_object_schema,
    build_request_schema,
    build_response_schema,
)
from relay.policy.settings.scalars import Checking
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis


def make_field(kind, length="", name="x", codes=(), presence=Presence.REQUIRED, condition=""):
    return Field(name, kind, length, presence, "이름", dict.fromkeys(codes, "뜻"), condition)


def list_fields():
    """Returns one request field for each type, length and code table, except lists."""
    fields = [field for api in APIS.values() for field in (*api.request.path, *api.request.query, *api.request.body)]
    kinds = {(field.type, field.length, tuple(field.codes), field.name == "limit"): field for field in fields}
    return [field for field in kinds.values() if field.type != "array"]


def fits(schema, value):
    return jsonschema.Draft202012Validator(schema).is_valid(value)


TEXTS = [
    ("N", "3", ["0", "-999", "1000", "1.0", ""]), ("F", "18,3", ["-1.5", "1.2345", "1."]),
    ("AN", "4", ["BA04", "ba04", "BA045"]), ("aN", "10", ["A1", "한글"]), ("aNS", "5", ["1/w", "a\tb"]),
    ("NS", "9", ["0100:0700", "a"]), ("A", "3", ["KRW", "krw"]), ("a", "4", ["code", "Code"]),
    ("Boolean", "", ["true", "True"]), ("DATE", "8", ["20240229", "20230229", "00000101"]),
    ("DTIME", "14", ["20240229235959", "20240101240000"]), ("DTIME|DATE", "14", ["20240229", "2024010100"]),
    ("B64", "4", ["YQ==", "YQ===", "YWJjZA"]), ("AH", "6", ["abcdef", "abcdefg"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "length", "text"), [(kind, length, text) for kind, length, ts in TEXTS for text in ts]
)
def test_a_schema_allows_what_the_relay_accepts(kind, length, text):
    field = make_field(kind, length)
    accepted = bool(text) and bool(compile_field_check(field)(text))
    assert fits(build_field_schema(field), text) is accepted


@pytest.mark.parametrize("field", list_fields(), ids=lambda field: f"{field.name}:{field.type}")
def test_generated_values_of_request_fields_are_accepted(field):
    schema = build_field_schema(field)
    check = compile_field_check(field)
    if "enum" in schema:
        assert all(map(check, schema["enum"]))
    elif field.type != "AH" and field.name != "limit":
        longest = schema["maxLength"]

        @settings(max_examples=20)
        @given(text=st.from_regex(schema["pattern"], fullmatch=True))
        def accepts(text):
            text = text.rstrip("\n")  # Python's $ also matches before a line break
            if fits(schema, text) and len(text) <= longest:
                assert check(text)

        accepts()


def test_a_limit_is_1_to_500():
    schema = build_field_schema(make_field("N", "3", name="limit"))
    allowed = {f"{number:0{width}}" for number in range(1, 501) for width in (1, 2, 3)}
    texts = {f"{number:0{width}}" for number in range(1000) for width in (1, 2, 3, 4)}
    assert {text for text in texts if fits(schema, text)} == allowed
    assert schema["pattern"] == LIMIT_PATTERN


def test_values_are_strings_and_lists_are_arrays():
    schema = build_response_schema(APIS["은행-001"])["properties"]
    assert schema["account_cnt"]["type"] == "string"
    assert schema["account_list"]["type"] == "array"
    assert schema["account_list"]["items"]["properties"]["is_consent"]["enum"] == ["true", "false"]


def test_only_fields_that_are_always_sent_are_required():
    items = build_response_schema(APIS["은행-001"])["properties"]["account_list"]["items"]
    assert "prod_name" in items["required"]
    assert "seqno" not in items["required"]
    assert "조건부 필수: 회차별 관리 기관만." in items["properties"]["seqno"]["description"]


def test_the_length_of_hangul_is_also_in_bytes():
    schema = build_field_schema(make_field("AH", "300"))
    assert (schema["maxLength"], schema["x-max-bytes"], schema["x-mydata-type"]) == (300, 300, "AH(300)")


def test_a_code_table_is_an_enum_with_meanings():
    schema = build_response_schema(APIS["은행-001"])["properties"]["account_list"]["items"]["properties"]
    assert schema["account_status"]["enum"] == ["01", "02"]
    assert "`01` 활동" in schema["account_status"]["description"]


def test_a_month_is_a_month():
    schema = build_field_schema(make_field("N", "6", name="from_month"))
    assert fits(schema, "202412")
    assert not fits(schema, "202413")


def test_a_request_has_no_other_fields_and_a_response_may():
    assert build_request_schema(APIS["은행-002"])["additionalProperties"] is False
    assert "additionalProperties" not in build_response_schema(APIS["은행-002"])


def test_the_response_of_a_success_has_its_code():
    assert build_response_schema(APIS["은행-002"])["properties"]["rsp_code"]["enum"] == ["00000"]
    assert build_response_schema(APIS["개별인증-004"])["properties"]["rsp_code"]["enum"] == ["00000", "99999"]


def test_counts_name_their_lists():
    fields = (make_field("N", "3", name="a_cnt"), make_field("array", name="a_list"))
    assert build_object_schema(fields)["description"] == "a_cnt는 a_list의 개수입니다."
    assert "required" not in build_object_schema(())


def test_examples_pass_the_check_of_the_relay(source):
    for group, examples in source.examples.items():
        for api_id, example in examples.items():
            if APIS[api_id].industries:
                compile_parameter_check(APIS[api_id], Checking.STRICT)(example.request)
            assert group
