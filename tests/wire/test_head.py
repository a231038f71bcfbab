"""Heads: everything that is not plain HTTP/1.1 is refused, and what is taken is taken byte for byte."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.wire.head import SINGLE, ProtocolError, Violation, parse_request_head

pytestmark = pytest.mark.usefixtures("scanner")

MOST = 100
TRAN_ID = b"x-api-tran-id: ZOPA000001M00000000000001"


def request(line=b"GET /v1/bank/accounts?org_code=ZBAA000001 HTTP/1.1", *fields, host=b"Host: relay.example"):
    return b"\r\n".join([line, host, *fields, b"", b""])


def parse_refused(raw, most=MOST):
    with pytest.raises(ProtocolError) as error:
        parse_request_head(raw, most)
    assert error.value.raw == raw
    return error.value.violation


LINES = [
    (b"GET /a HTTP/1.0", Violation.HEAD_MALFORMED),
    (b"GET /a HTTP/1.10", Violation.HEAD_MALFORMED),
    (b"GET /a HTTP/1.2", Violation.HEAD_MALFORMED),
    (b"GET /a HTTP/11", Violation.HEAD_MALFORMED),
    (b"GET /a HTTP/2.0", Violation.HEAD_MALFORMED),
    (b"PRI * HTTP/2.0", Violation.HEAD_MALFORMED),
    (b"GET /a http/1.1", Violation.HEAD_MALFORMED),
    (b"GET /a HTTP/1.1 ", Violation.HEAD_MALFORMED),
    (b"GET /a HTTP/1.1\t", Violation.HEAD_MALFORMED),
    (b"GET /a", Violation.HEAD_MALFORMED),
    (b"GET /", Violation.HEAD_MALFORMED),
    (b"GET", Violation.HEAD_MALFORMED),
    (b"POST ", Violation.HEAD_MALFORMED),
    (b"POST HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"POST  HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"get /a HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"Get /a HTTP/1.1", Violation.HEAD_MALFORMED),
    (b" GET /a HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"\r\nGET /a HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"GET  /a HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"GET\t/a HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"GET /a  HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /a b HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"GET /a\tHTTP/1.1", Violation.HEAD_MALFORMED),
    (b"PUT /a HTTP/1.1", Violation.METHOD_NOT_ALLOWED),
    (b"DELETE /a HTTP/1.1", Violation.METHOD_NOT_ALLOWED),
    (b"HEAD /a HTTP/1.1", Violation.METHOD_NOT_ALLOWED),
    (b"OPTIONS /a HTTP/1.1", Violation.METHOD_NOT_ALLOWED),
    (b"TRACE /a HTTP/1.1", Violation.METHOD_NOT_ALLOWED),
    (b"FOO /a HTTP/1.1", Violation.METHOD_NOT_ALLOWED),
    (b"OPTIONS * HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"CONNECT bank.example:443 HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"GET http://evil.example/a HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"POST http://evil.example/a HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"POST * HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"POST a HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"GET //evil.example/a HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1//a HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1/../a HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1/./a HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1/.. HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /.hidden HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1/..;/a HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1/%2e%2e/a HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1%2fa HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1/%62ank HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1\\a HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1;a=b HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1{card_id} HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1#fragment HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1?a=b#fragment HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1?a=b;c=d HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1?a=%00 HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1?a=b%00c HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1?a=% HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1?a=%4 HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1?a=%zz HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1?a=%41%4 HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1?a=%%41 HTTP/1.1", Violation.TARGET_MALFORMED),
    (b'GET /v1?a="b" HTTP/1.1', Violation.TARGET_MALFORMED),
    (b"GET /v1?a=<b> HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1?a=b|c HTTP/1.1", Violation.TARGET_MALFORMED),
    (b"GET /v1?a=[b] HTTP/1.1", Violation.TARGET_MALFORMED),
    ("GET /은행 HTTP/1.1".encode(), Violation.HEAD_MALFORMED),
    ("GET /v1?a=은행 HTTP/1.1".encode(), Violation.HEAD_MALFORMED),
    (b"GET /v1\x7f HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"GET /v1\x01 HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"GET /v1\0 HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"GET /v1\rX HTTP/1.1", Violation.HEAD_MALFORMED),
    (b"GET /v1 HTTP/1.1\nX: y", Violation.HEAD_MALFORMED),
]


@pytest.mark.parametrize(("line", "wrong"), LINES, ids=[repr(line) for line, _ in LINES])
def test_an_invalid_request_line_is_refused(line, wrong):
    assert parse_refused(request(line)) is wrong


FIELDS = [
    b"Content-Length: +1",
    b"Content-Length: -1",
    b"Content-Length: 1, 1",
    b"Content-Length: 1 1",
    b"Content-Length: 0x5",
    b"Content-Length: 1_0",
    b"Content-Length: 1.0",
    b"Content-Length:",
    b"Content-Length: ",
    b"Content-Length: five",
    "Content-Length: ٥".encode(),
    b"Content-Length: 9999999999999999",
    b"Content-Length: 18446744073709551617",
    b"Content-Length: 5\r\nContent-Length: 5",
    b"Content-Length: 5\r\ncontent-length: 6",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\ntransfer-encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunkedx",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: chunked;q=1",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding: chunked\x0b",
    b"Transfer-Encoding:",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\t: chunked",
    b"Transfer-Encoding\r\n : chunked",
    b"X: y\r\n Transfer-Encoding: chunked",
    b"X: y\r\n\tfolded",
    b" X: y",
    b"\tX: y",
    b"X : y",
    b": y",
    b"X",
    b"X Y: z",
    b"X\0: y",
    b"X(: y",
    b"X_Y: z",
    b"X\xe9: y",
    b"X\x7f: y",
    b"X: y\0z",
    b"X: y\x01",
    b"X: y\x0c",
    b"X: y\x1b[31m",
    b"X: y\x7f",
    b"X: y\nZ: z",
    b"X: y\rZ: z",
    b"X: y\r\r",
    b"Host: other.example",
    b"host: relay.example",
    b"Connection: upgrade\r\nUpgrade: h2c",
    b"Connection: upgrade\r\nUpgrade: websocket",
]


@pytest.mark.parametrize("field", FIELDS, ids=repr)
def test_an_invalid_field_is_refused(field):
    assert parse_refused(request(b"POST /v1 HTTP/1.1", TRAN_ID, field)) is Violation.HEAD_MALFORMED


@pytest.mark.parametrize("name", sorted(SINGLE - {b"host", b"transfer-encoding", b"content-length", b"expect"}))
@pytest.mark.parametrize("twist", [bytes, bytes.upper])
def test_an_ambiguous_field_may_occur_once(name, twist):
    assert parse_refused(request(b"GET /v1 HTTP/1.1", name + b": a", twist(name) + b": a")) is Violation.HEAD_MALFORMED
    assert parse_request_head(request(b"GET /v1 HTTP/1.1", name + b": a"), MOST).headers[name] == b"a"


@pytest.mark.parametrize("host", [b"X: y", b"Host:", b"Host: "])
def test_a_request_needs_a_host(host):
    assert parse_refused(request(host=host)) is Violation.HEAD_MALFORMED


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_a_get_with_a_body_is_refused(field):
    assert parse_refused(request(b"GET /v1 HTTP/1.1", field)) is Violation.BODY_OF_A_GET


def test_a_hundred_fields_are_accepted_and_no_more():
    fields = [b"X-%d: y" % number for number in range(99)]
    assert len(parse_request_head(request(b"GET /v1 HTTP/1.1", *fields), MOST).headers) == 100
    assert parse_refused(request(b"GET /v1 HTTP/1.1", *fields, b"Z: z")) is Violation.HEAD_TOO_LARGE
    assert parse_refused(request(b"GET /v1 HTTP/1.1", *[b"X: y"] * 100)) is Violation.HEAD_TOO_LARGE


TARGETS = [
    b"/",
    b"/v1/bank/accounts",
    b"/v1/bank/accounts?",
    b"/v1/bank/accounts?org_code=ZBAA000001&search_timestamp=0&limit=500",
    b"/v1/card/cards/A-b_c~1.2/approval-domestic?next_page=%E1%84%80%2b%2F+x",
    b"/a.b/c..d/e.?q=../..//%2e%2e",
    b"/a?b=!$'()*+,:@/?c=d&&=&e",
    b"/a?b=%B0%A1",
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_target_is_kept_byte_for_byte(method, target):
    head = parse_request_head(request(method + b" " + target + b" HTTP/1.1"), MOST)
    path, _, query = target.partition(b"?")
    assert (head.method, head.target, head.path, head.query) == (method.decode(), target, path, query)


@pytest.mark.parametrize(
    ("fields", "length", "chunked", "close"),
    [
        ([], 0, False, False),
        ([b"Content-Length: 0"], 0, False, False),
        ([b"Content-Length:  65536"], 65536, False, False),
        ([b"content-length: 005"], 5, False, False),
        ([b"Transfer-Encoding: chunked"], 0, True, False),
        ([b"TRANSFER-ENCODING: Chunked"], 0, True, False),
        ([b"Content-Length: 5 \t"], 5, False, False),
        ([b"Transfer-Encoding: chunked "], 0, True, False),
        ([b"Connection: close\t"], 0, False, True),
        ([b"Connection: keep-alive"], 0, False, False),
        ([b"Connection: close"], 0, False, True),
        ([b"connection: Keep-Alive, Close"], 0, False, True),
    ],
)
def test_framing_and_connection_are_parsed(fields, length, chunked, close):
    head = parse_request_head(request(b"POST /v1 HTTP/1.1", *fields), MOST)
    assert (head.length, head.chunked, head.close) == (length, chunked, close)


def test_trailing_blanks_of_a_value_are_removed():
    fields = [b"x-api-tran-id: ZOPA000001M00000000000001 ", b"X: a b\t \t", b"Y: \t ", b"Authorization: Bearer a "]
    headers = parse_request_head(request(b"GET /v1 HTTP/1.1", *fields), MOST).headers
    assert headers[b"x-api-tran-id"] == b"ZOPA000001M00000000000001"
    assert (headers[b"x"], headers[b"y"], headers[b"authorization"]) == (b"a b", b"", b"Bearer a")


def test_names_are_lower_case_and_values_unchanged():
    fields = [b"X-EMPTY:", b"Authorization:\tBearer a.b.c", b"Accept: \xea\xb0\x80", b"Via: a", b"via: b", b"X-T: a\tb"]
    headers = parse_request_head(request(b"GET /v1 HTTP/1.1", *fields), MOST).headers
    assert headers == {
        b"host": b"relay.example",
        b"x-empty": b"",
        b"authorization": b"Bearer a.b.c",
        b"accept": b"\xea\xb0\x80",
        b"via": b"b",
        b"x-t": b"a\tb",
    }


PIECES = [
    b"GET", b"POST", b"PUT", b" ", b"/", b"/v1/bank", b"?", b"a=b", b"&", b"%41", b"%0", b"..", b"HTTP/1.1",
    b"HTTP/1.0", b"\r\n", b"\n", b"\r", b"\0", b"\t", b":", b": ", b"Host", b"Host: h", b"Content-Length: ", b"X: y",
    b"Transfer-Encoding: ", b"chunked", b"1", b"-1", b",", b"X_Y", b"\xff", b"Connection: upgrade", b"Upgrade: h2c",
]  # fmt: skip


def nearly_a_request(pieces):
    return st.lists(pieces, max_size=14).map(b"".join) | st.lists(pieces, max_size=8).map(
        lambda parts: b"GET /v1 HTTP/1.1\r\nHost: h\r\n" + b"".join(parts)
    )


@given(nearly_a_request(st.sampled_from(PIECES) | st.binary(max_size=3)))
@example(b"")
def test_any_bytes_are_a_request_or_malformed(raw):
    raw = raw.replace(b"\r\n\r\n", b"\r\n") + b"\r\n\r\n"
    try:
        head = parse_request_head(raw, MOST)
    except ProtocolError:
        return
    assert raw.startswith(head.method.encode() + b" " + head.target + b" HTTP/1.1\r\n")
    assert head.path == head.target.partition(b"?")[0]
    assert not {b"\0", b"\r", b"\n"} & {bytes([sign]) for value in head.headers.values() for sign in value}
