"""Requests to institutions are built by allow-list, without content that a caller injected."""

import pytest

from relay.policy.call.envelope import JSON_TYPE
from relay.policy.call.institution_request import InstitutionRequest, RequestTemplate, select_codings

TRAN_ID = b"ZOPA000001M00000000000001"
SENT = {
    b"host": b"relay.example",
    b"authorization": b"Bearer secret",
    b"cookie": b"a=b",
    b"x-api-tran-id": TRAN_ID,
    b"x-api-type": b"user-refresh",
    b"accept-encoding": b"gzip",
    b"x-user-ci": b"ci",
    b"x-client-id": b"another-client",
    b"x-forwarded-for": b"192.0.2.1",
    b"connection": b"x-api-type",
    b"transfer-encoding": b"chunked",
    b"content-length": b"99",
    b"content-type": b"text/html",
}


def write(*call, url="https://bank.example:9443/relay", body=b"", **context):
    context = {"client_id": "one", "ci": b"the-ci"} | context
    return InstitutionRequest([RequestTemplate.from_url(url)], *call, body, **context).write(0)


def lines(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    return first, dict(field.split(b": ", 1) for field in fields), body


def test_a_get_passes_only_allowed_headers():
    first, fields, body = lines(write("GET", b"/v1/bank/accounts?a=%20b", SENT))
    assert first == b"GET /relay/v1/bank/accounts?a=%20b HTTP/1.1"
    assert fields == {
        b"Host": b"bank.example:9443",
        b"x-api-tran-id": TRAN_ID,
        b"x-client-id": b"one",
        b"x-user-ci": b"the-ci",
        b"x-api-type": b"user-refresh",
        b"accept-encoding": b"gzip",
    }
    assert body == b""


@pytest.mark.parametrize("body", [b"{}", b"", "\r\n\r\n한".encode()])
def test_a_post_has_its_body_and_our_content_length(body):
    first, fields, sent = lines(write("POST", b"/v1/a", SENT, body=body))
    assert first == b"POST /relay/v1/a HTTP/1.1"
    assert fields[b"Content-Type"] == JSON_TYPE
    assert (fields[b"Content-Length"], sent) == (b"%d" % len(body), body)
    assert len(fields) == 8


def test_absent_headers_are_not_added():
    _, fields, _ = lines(write("GET", b"/v1/a", {b"x-api-tran-id": TRAN_ID}))
    assert set(fields) == {b"Host", b"x-api-tran-id", b"x-client-id", b"x-user-ci"}


def test_a_filtered_response_is_requested_without_coding():
    sent = write("GET", b"/v1/a", SENT, is_filtered=True)
    assert b"accept-encoding" not in lines(sent)[1]
    assert lines(sent)[1][b"x-api-type"] == b"user-refresh"


@pytest.mark.parametrize(
    ("url", "first", "host"),
    [
        ("https://bank.example", b"GET /v1", b"bank.example"),
        ("https://bank.example:9443/a/b", b"GET /a/b/v1", b"bank.example:9443"),
        ("http://[2001:db8::1]:8080/x", b"GET /x/v1", b"[2001:db8::1]:8080"),
    ],
)
def test_a_template_has_host_and_path_of_its_base_url(url, first, host):
    line, fields, _ = lines(write("GET", b"/v1", {b"x-api-tran-id": TRAN_ID}, url=url))
    assert (line, fields[b"Host"]) == (first + b" HTTP/1.1", host)


@pytest.mark.parametrize(
    ("context", "withheld"),
    [
        ({"withheld": frozenset({"trans_memo", "merchant_name"})}, b"merchant_name trans_memo"),
        ({"withheld": frozenset({"trans_memo"}), "is_filtered": True}, None),
        ({}, None),
    ],
)
def test_withheld_fields_are_sent_unless_the_relay_filters(context, withheld):
    fields = lines(write("GET", b"/v1", {b"x-api-tran-id": b"T"}, **context))[1]
    assert fields.get(b"x-consent-withheld") == withheld
    assert b"accept-encoding" not in fields


def test_each_instance_gets_its_own_path_and_host():
    templates = list(map(RequestTemplate.from_url, ("https://a.example", "https://b.example/base")))
    request = InstitutionRequest(templates, "GET", b"/v1", {b"x-api-tran-id": b"T"}, b"", client_id="one", ci=b"CI")
    assert [request.write(instance).split(b"\r\n")[:2] for instance in (0, 1)] == [
        [b"GET /v1 HTTP/1.1", b"Host: a.example"],
        [b"GET /base/v1 HTTP/1.1", b"Host: b.example"],
    ]


@pytest.mark.parametrize(
    ("accepted", "passed"),
    [
        (b"gzip", b"gzip"),
        (b"gzip, deflate", b"gzip, deflate"),
        (b"GZIP;q=0.5 , br,\tx-gzip", b"GZIP;q=0.5, x-gzip"),
        (b"identity;q=1, *;q=0", b"identity;q=1"),
        (b"br, zstd", b"identity"),
        (b"*", b"identity"),
        (b"", b"identity"),
    ],
)
def test_only_codings_that_the_relay_reads_are_passed(accepted, passed):
    assert select_codings(accepted) == passed


def test_the_consent_is_for_the_adapter_alone():
    _, fields, _ = lines(write("GET", b"/v1/a", SENT, url="http://adapter/ZBAC000001", consent="c1"))
    assert fields[b"x-relay-consent"] == b"c1"
    assert b"x-relay-consent" not in lines(write("GET", b"/v1/a", SENT | {b"x-relay-consent": b"forged"}))[1]
