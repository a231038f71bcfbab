import json

import pytest
from pydantic import ValidationError

from relay.policy.mediation.settings import Expression, TelegramLink, TelegramMessage

LINK = {"header": ["kind n(4) = $kind", "code an(4)"], "response_code": {"field": "code", "codes": {"0000": "00000"}}}
MESSAGE = {"api": "BA01", "code": "A001", "response": {"fields": ["a an(1)"]}}


def read(model, values):
    return model.model_validate_json(json.dumps(values), strict=True)


def test_a_short_link_has_the_usual_values():
    link = read(TelegramLink, LINK)
    assert (link.charset, link.framing.length, link.framing.counts) == ("EUC-KR", 4, "rest")
    assert (link.kinds.request, link.kinds.response, link.management) == ("0200", "0210", None)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("balance", {"field": "balance"}),
        ("= KRW", {"value": "KRW"}),
        ("= 'true'", {"value": "true"}),
        ("omit", {"omit": True}),
        ({"join": ["day", "time"]}, {"join": ("day", "time")}),
        ({"field": "a", "when": {"kind": "Y"}}, {"field": "a", "when": {"kind": ("Y",)}}),
        ({"rows": "message", "each": {"b": "a"}}, {"rows": "message", "each": {"b": Expression(field="a")}}),
    ],
)
def test_an_expression_may_be_text_or_a_section(text, values):
    assert read(TelegramMessage, MESSAGE | {"answer": {"x": text}}).answer["x"] == Expression(**values)


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": {"x": {"field": "a", "value": "b"}}},
        {"answer": {"x": {}}},
        {"answer": {"x": {"codes": {"a": "b"}}}},
        {"answer": {"x": {"sum": "rows"}}},
        {"answer": {"x": {"field": "a", "longer": "drop"}}},
        {"response_codes": {"0001": "4040"}},
        {"response_codes": {"0001": 40402}},
        {"api": "은행-001"},
        {"paging": {"list": "x", "key": []}},
        {"unknown": 1},
    ],
)
def test_a_wrong_value_is_refused(changes):
    with pytest.raises(ValidationError):
        read(TelegramMessage, MESSAGE | changes)


def test_editors_accept_text_and_sections():
    schema = TelegramMessage.model_json_schema()
    fields = schema["$defs"]["ResponseMessage"]["properties"]["fields"]["items"]
    for entry in (fields, schema["properties"]["answer"]["additionalProperties"]):
        assert {choice.get("type", "section") for choice in entry["anyOf"]} == {"section", "string"}


def test_a_link_needs_a_header():
    with pytest.raises(ValidationError):
        read(TelegramLink, LINK | {"header": []})
