"""The token endpoint: how a form must come, whatever it asks for."""

from urllib.parse import urlencode

import pytest

from relay.oauth.token import GRANTS
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
async def test_a_form_says_that_it_is_one(desk, content_type, status):
    reply = await desk.post("token", desk.by_code(await desk.consent()), content_type=content_type)
    assert reply.status == status
    assert status == 200 or (reply.body["error"], reply.reason) == ("invalid_request", "header_malformed")


@pytest.mark.parametrize("query", ["?", "?client_secret=Q7fG2k9Lm4Xc1Vb8", "?x", "?grant_type=authorization_code"])
async def test_a_query_is_refused_whatever_it_says(desk, query):
    form = urlencode(desk.by_code(await desk.consent())).encode()
    reply = await desk.send("POST", PATH + query, form)
    # an empty query does not survive every client; where it does, it is one
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
async def test_a_form_with_two_readings_is_refused(desk, changed, reason):
    form = urlencode(desk.by_code(await desk.consent())).encode()
    reply = await desk.send("POST", PATH, changed(form))
    assert (reply.status, reply.body["error"], reply.reason) in [
        (400, "invalid_request", reason),
        (400, "unsupported_grant_type", "unsupported_grant_type"),
    ]


@pytest.mark.parametrize("changed", [b"%s&", b"%s&&", b"&%s", b"&&%s&"])
async def test_pairs_of_nothing_do_no_harm(desk, changed):
    form = urlencode(desk.by_code(await desk.consent())).encode()
    assert (await desk.send("POST", PATH, changed % form.replace(b"&", b"&&", 1))).status == 200


async def test_fields_nobody_knows_do_no_harm(desk):
    reply = await desk.post("token", desk.by_code(await desk.consent(), extra="할 말"))
    assert reply.status == 200


@pytest.mark.parametrize("field", ["org_code", "grant_type", "code", "client_id", "client_secret", "redirect_uri"])
async def test_a_name_that_resembles_a_field_is_refused(desk, look_alikes, field):
    form = desk.by_code(await desk.consent())
    for name in look_alikes(field):
        reply = await desk.post("token", form | {name: "other"})
        assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "parameter_ambiguous"), (
            name
        )
        assert reply.body["error_description"] == f"표준 파라미터와 혼동될 수 있는 이름이 있습니다: {field}"
    assert (await desk.post("token", form)).status == 200  # no such form spent the code


@pytest.mark.parametrize("field", ["org_code", "grant_type", "refresh_token", "client_id", "client_secret"])
async def test_a_name_that_resembles_a_field_refreshes_nothing(desk, look_alikes, field):
    form = desk.by_refresh((await desk.pair())["refresh_token"])
    for name in look_alikes(field):
        reply = await desk.post("token", form | {name: "other"})
        assert (reply.status, reply.body["error"], reply.reason) == (400, "invalid_request", "parameter_ambiguous"), (
            name
        )


async def test_a_compressed_form_is_refused(desk):
    reply = await desk.post("token", desk.by_code(await desk.consent()), content_encoding="gzip")
    assert (reply.status, reply.reason) == (400, "header_malformed")


async def test_no_answer_repeats_what_was_sent(desk):
    changes = {"client_secret": "TellMeAgain1", "code": "TellMeAgain2", "client_id": "TellMeAgain3"}
    for form in (desk.by_code("x", **changes), desk.by_code("x", redirect_uri="TellMeAgain" * 20)):
        reply = await desk.post("token", form)
        assert "TellMeAgain" not in f"{reply.body} {dict(reply.headers)}"


@pytest.mark.parametrize("row", GRANTS.values(), ids=GRANTS)
def test_each_grant_is_an_api_of_the_standard(row):
    api = load_catalogue().apis[row.api_id]
    (field,) = (field for field in api.request.body if field.name == "grant_type")
    assert (api.api_code, api.path) == (row.api_code, PATH)
    assert GRANTS[next(iter(field.codes))] is row
