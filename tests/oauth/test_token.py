"""Form rules of the token endpoint."""

from urllib.parse import urlencode

import pytest

from relay.oauth.token import GRANT_TYPES
from relay.standard.catalogue import load_catalogue

PATH = "/oauth/2.0/token"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/x-www-form-urlencoded", 200),
        ("application/x-www-form-urlencoded; charset=UTF-8", 200),
        ('Application/X-WWW-Form-URLencoded;charset="utf-8"', 200),
        ("application/x-www-form-urlencoded; charset=euc-kr", 400),
        ("application/x-www-form-urlencoded; boundary=x", 400),
        ("application/json", 400),
        ("multipart/form-data; boundary=x", 400),
        ("text/plain", 400),
        (None, 400),
    ],
)
async def test_a_form_needs_its_content_type(operator, content_type, status):
    reply = await operator.post("token", operator.code_form(await operator.get_code()), content_type=content_type)
    assert reply.status == status
    assert status == 200 or (reply.body["error"], reply.reason) == ("invalid_request", "header_malformed")


@pytest.mark.parametrize("query", ["?", "?client_secret=Q7fG2k9Lm4Xc1Vb8", "?x", "?grant_type=authorization_code"])
async def test_any_query_is_refused(operator, query):
    form = urlencode(operator.code_form(await operator.get_code())).encode()
    reply = await operator.send("POST", PATH + query, form)
    # some clients drop an empty query
    assert (reply.status, reply.reason) == (400, "parameter_malformed") or query == "?"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (lambda form: form + b"&org_code=ZBAA000001", "parameter_twice"),
        (lambda form: form + b"&grant_type=refresh_token", "parameter_twice"),
        (lambda form: form + b"&client%5fsecret=other", "parameter_twice"),
        (lambda form: form + b"&extra=1&extra=2", "parameter_twice"),
        (lambda form: form + b"&extra=%f", "parameter_malformed"),
        (lambda form: form + b"&extra=%gg", "parameter_malformed"),
        (lambda form: form + b"&extra=%ff", "parameter_malformed"),
        (lambda form: form + b"&extra=\xff", "parameter_malformed"),
        (lambda form: form + b"&%ff=1", "parameter_malformed"),
        (lambda form: form + b"&=1", "parameter_malformed"),
        (lambda form: form + b"&&=", "parameter_malformed"),
        (lambda form: form + b"\r\n", "parameter_malformed"),
        (lambda form: form + b"&x=\0", "parameter_malformed"),
        (lambda form: form + b"".join(b"&x%d=1" % number for number in range(64)), "parameter_malformed"),
        (lambda _: b"", "parameter_missing"),
        (lambda _: b'{"grant_type":"authorization_code"}', "parameter_missing"),
        (lambda form: form.replace(b"&", b";"), "parameter_missing"),
    ],
)
async def test_an_ambiguous_form_is_refused(operator, changed, reason):
    form = urlencode(operator.code_form(await operator.get_code())).encode()
    reply = await operator.send("POST", PATH, changed(form))
    assert (reply.status, reply.body["error"], reply.reason) in [
        (400, "invalid_request", reason),
        (400, "unsupported_grant_type", "unsupported_grant_type"),
    ]


@pytest.mark.parametrize("changed", [b"%s&", b"%s&&", b"&%s", b"&&%s&"])
async def test_empty_pairs_are_ignored(operator, changed):
    form = urlencode(operator.code_form(await operator.get_code())).encode()
    assert (await operator.send("POST", PATH, changed % form.replace(b"&", b"&&", 1))).status == 200


async def test_unknown_fields_are_ignored(operator):
    reply = await operator.post("token", operator.code_form(await operator.get_code(), extra="할 말"))
    assert reply.status == 200


@pytest.mark.parametrize("field", ["org_code", "grant_type", "code", "client_id", "client_secret", "redirect_uri"])
async def test_an_ambiguous_field_name_is_refused(operator, look_alikes, field):
    form = operator.code_form(await operator.get_code())
    for name in look_alikes(field):
        reply = await operator.post("token", form | {name: "other"})
        assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "parameter_ambiguous"), (
            name
        )
        assert reply.body["error_description"] == f"표준 파라미터와 혼동될 수 있는 이름이 있습니다: {field}"
    assert (await operator.post("token", form)).status == 200  # no such form spent the code


@pytest.mark.parametrize("field", ["org_code", "grant_type", "refresh_token", "client_id", "client_secret"])
async def test_a_name_that_resembles_a_field_refreshes_nothing(operator, look_alikes, field):
    form = operator.refresh_form((await operator.issue_pair())["refresh_token"])
    for name in look_alikes(field):
        reply = await operator.post("token", form | {name: "other"})
        assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "parameter_ambiguous"), (
            name
        )


async def test_a_compressed_form_is_refused(operator):
    reply = await operator.post("token", operator.code_form(await operator.get_code()), content_encoding="gzip")
    assert (reply.status, reply.reason) == (400, "header_malformed")


async def test_no_response_repeats_request_values(operator):
    changes = {"client_secret": "TellMeAgain1", "code": "TellMeAgain2", "client_id": "TellMeAgain3"}
    for form in (operator.code_form("x", **changes), operator.code_form("x", redirect_uri="TellMeAgain" * 20)):
        reply = await operator.post("token", form)
        assert "TellMeAgain" not in f"{reply.body} {dict(reply.headers)}"


@pytest.mark.parametrize("grant_type", GRANT_TYPES.values(), ids=GRANT_TYPES)
def test_each_grant_is_an_api_of_the_standard(grant_type):
    api = load_catalogue().apis[grant_type.api_id]
    (field,) = (field for field in api.request.body if field.name == "grant_type")
    assert (api.api_code, api.path) == (grant_type.api_code, PATH)
    assert GRANT_TYPES[next(iter(field.codes))] is grant_type
