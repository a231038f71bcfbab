import json
from contextlib import suppress

import pytest
from fixtures.life_insurer import CASES
from hypothesis import given, settings
from hypothesis import strategies as st
from mydata_sandbox.checks.conformance import find_violations

from relay.policy.mediation.errors import ConversionError, ForeignResponse, UnfitAsset
from relay.policy.mediation.json_api.requests import JsonResponse
from relay.standard.catalogue import load_catalogue

POLICY = CASES["IS02"]


@pytest.mark.parametrize("api_code", CASES)
def test_each_api_of_the_example_is_converted(api, api_code):
    parameters, data, body = CASES[api_code]
    call = api(api_code, parameters)
    call.build()
    call.accept(data)
    answer, values = call.answer()
    assert (answer.status, values) == (200, {"rsp_code": "00000", "rsp_msg": "성공", **body})
    rule = next(each for each in load_catalogue().iter_apis("insu") if each.api_code == api_code)
    assert find_violations(rule, values) == []


def decode(api, body, status=200, **fields):
    call = api("IS02", POLICY[0])
    call.build()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    context = {"unique_number": "000000000001", **call.call.parameters}
    return call.conversion.decode_response(JsonResponse(status, content, **fields), context)


def envelope(code="OK", **result):
    return {"result": {"code": code, "requestNo": "000000000001", **result}, "data": POLICY[1]}


@pytest.mark.parametrize(
    ("body", "status", "rsp_code", "core_code"),
    [
        (envelope(), 200, "00000", "OK"),
        (envelope("NODATA"), 200, "00000", "NODATA"),
        (envelope("E1002"), 200, "40403", "E1002"),
        (envelope("X"), 200, "50005", "X"),
        (envelope("E1002"), 404, "40403", "E1002"),
        (envelope("X"), 404, "40402", "HTTP 404"),
        (envelope("OK"), 404, "40402", "HTTP 404"),
        ({"result": "down"}, 503, "50008", "HTTP 503"),
        (b"", 503, "50008", "HTTP 503"),
        (b"<html>", 500, "50005", "HTTP 500"),
    ],
)
def test_codes_of_the_body_and_statuses_decide(api, body, status, rsp_code, core_code):
    response = decode(api, body, status)
    assert (response.rsp_code, response.core_code) == (rsp_code, core_code)


def test_unknown_codes_are_described(api):
    conversion = api("IS02", POLICY[0]).conversion
    codes = ["OK", "E1", "한글", "HTTP 404", "HTTP 418"]
    assert [conversion.describe_unknown(code) for code in codes] == [
        None, "$.result.code: E1", "$.result.code", None, "status: 418",
    ]  # fmt: skip


def test_a_failure_of_another_request_is_refused(api):
    with pytest.raises(ForeignResponse, match=r"\$unique_number"):
        decode(api, envelope("E1001", requestNo="000000000002"), 404)
    assert decode(api, {"result": {"code": "E1001"}}, 404).rsp_code == "40402"


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "application/vnd.core+json; charset=utf-8", 'text/json; charset="UTF8"']
)
def test_usual_content_types_are_accepted(api, content_type):
    assert decode(api, envelope(), content_type=content_type).is_success


@pytest.mark.parametrize(
    "content_type", ["text/html", "application/json; charset=EUC-KR", "application/json; charset=x"]
)
def test_other_content_types_are_errors(api, content_type):
    with pytest.raises(ConversionError, match=r"IS02\.yaml response: Content-Type: expected"):
        decode(api, envelope(), content_type=content_type)


def test_an_empty_success_needs_no_body(files, api):
    files.link["response_code"]["statuses"]["204"] = "empty"
    institution, problems = files.compile()
    assert problems == []
    call = api("IS01", CASES["IS01"][0], institution)
    call.build()
    call.accept(b"", status=204)
    assert call.answer()[1]["insu_list"] == []


def test_an_api_may_have_no_response_code(files, api):
    files.link["response_code"] = {"statuses": {"404": "40402"}}
    institution, problems = files.compile()
    assert problems == []
    call = api("IS12", CASES["IS12"][0], institution)
    call.build()
    call.accept(CASES["IS12"][1])
    assert call.answer()[1]["repay_method"] == "01"


def test_a_success_may_be_without_a_response_code(files):
    files.link["header"].append("error an(20) at error.code")
    files.link["response_code"] |= {"field": ["error", "resultCode"], "absent": "00000"}
    institution, problems = files.compile()
    assert problems == []
    conversion = institution.conversions["IS02"]
    context = {"unique_number": "000000000001", **POLICY[0]}

    def decode_body(body, status=200):
        return conversion.decode_response(JsonResponse(status, json.dumps(body).encode()), context)

    body = envelope()
    assert decode_body(body | {"error": {"code": "E1002"}}).rsp_code == "40403"
    assert decode_body({"error": {"code": "E1001"}}, 400).rsp_code == "40402"
    assert decode_body(body | {"error": {"code": "NEW"}}).rsp_code == "50005"
    assert conversion.describe_unknown("NEW") == "$.error.code or $.result.code: NEW"
    del body["result"]["code"]
    assert decode_body(body).is_success
    with pytest.raises(ForeignResponse, match=r"\$\.data\.policy\.policyNo"):
        decode_body(body | {"data": {}})


def accept_pages(call, count, size, **more):
    """Accepts responses of IS06 with the same rows; returns the error of the last one."""
    row = CASES["IS06"][1]["payments"][0]
    data = {"policyNo": CASES["IS06"][0]["insu_num"], "hasMore": True, "payments": [row] * size} | more
    for _ in range(count - 1):
        call.build()
        call.accept(data)
    call.build()
    with pytest.raises(ConversionError) as caught:
        call.accept(data)
    return str(caught.value)


def test_a_page_that_repeats_is_an_error_with_its_path(api):
    call = api("IS06", CASES["IS06"][0] | {"limit": "500"})
    expected = "other rows than in the response before"
    assert accept_pages(call, 2, 200) == f"IS06.yaml response: $.data.payments: expected {expected}"


def test_a_response_may_repeat_its_page(files, api):
    files.messages["IS01.yaml"]["response"]["fields"].append("page n at page.number = $page_number")
    institution, problems = files.compile()
    assert problems == []
    data = json.loads(json.dumps(CASES["IS01"][1]))
    data["page"]["number"] = 1
    call = api("IS01", CASES["IS01"][0], institution)
    call.build()
    call.accept(data)
    data["page"]["number"] = 2
    call = api("IS01", CASES["IS01"][0], institution)
    call.build()
    with pytest.raises(ForeignResponse, match=r"\$\.data\.page\.number: expected the \$page_number of the request"):
        call.accept(data)


def test_a_list_without_end_is_an_error_with_its_path(api):
    call = api("IS06", CASES["IS06"][0] | {"limit": "500"})
    place = "IS06.yaml response: $.data.payments"
    assert accept_pages(call, 1, 0) == f"{place}: expected rows, because there are more"


LEAVES = (
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=4) | st.just([]) | st.just({})
)


@settings(max_examples=300)
@given(st.data())
def test_a_hostile_core_meets_nothing_but_conversion_errors(api, data):
    api_code = data.draw(st.sampled_from(sorted(CASES)))
    call = api(api_code, CASES[api_code][0])
    call.build()
    values = json.loads(json.dumps(CASES[api_code][1]))
    for _ in range(data.draw(st.integers(1, 3))):
        spoil(values, data)
    with suppress(ConversionError):
        call.accept(values)
        answer, body = call.answer()
        rule = next(each for each in load_catalogue().iter_apis("insu") if each.api_code == api_code)
        assert (answer.status, find_violations(rule, body)) == (200, [])


def spoil(values, data):
    """Replaces one value somewhere in a document."""
    member = values
    while True:
        keys = list(member) if isinstance(member, dict) else list(range(len(member)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if not isinstance(member[key], dict | list) or data.draw(st.booleans()):
            member[key] = data.draw(LEAVES)
            return
        member = member[key]


@pytest.mark.parametrize(("api_code", "value"), [("IS02", ".."), ("IS03", "1" * 21), ("IS03", "a\nb")])
def test_a_policy_that_fits_in_no_request_is_unknown(api, api_code, value):
    with pytest.raises(UnfitAsset):
        api(api_code, CASES[api_code][0] | {"insu_num": value}).build()


def test_another_value_that_does_not_fit_is_an_error(api):
    with pytest.raises(ConversionError) as caught:
        api("IS03", CASES["IS03"][0] | {"insured_no": "x"}).build()
    assert not isinstance(caught.value, UnfitAsset)


def test_a_number_is_compared_without_leading_zeros(files):
    files.messages["IS03.yaml"]["response"]["fields"].append("insured_no decimal(10) at person.seq")
    institution, problems = files.compile()
    assert problems == []
    parameters, data, _ = CASES["IS03"]
    conversion = institution.conversions["IS03"]
    context = {"unique_number": "000000000001", **parameters, "insured_no": "007"}
    for number, is_same in ((7, True), (8, False)):
        body = {"result": {"code": "OK", "requestNo": "000000000001"}, "data": {**data, "person": {"seq": number}}}
        response = JsonResponse(200, json.dumps(body).encode())
        if is_same:
            assert conversion.decode_response(response, context).is_success
            continue
        with pytest.raises(ForeignResponse, match=r"person.seq: expected the \$insured_no of the request"):
            conversion.decode_response(response, context)
