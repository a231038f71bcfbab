"""What institutions do to a call, by name: right things in unusual ways, and everything that goes wrong."""

import asyncio
import gzip

from stage.institution import JSON_TYPE, TRAN_ID, answers_well, body_for, whole

_NAMED = f"x-api-tran-id: {TRAN_ID}\r\n".encode()
_OK = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON_TYPE}\r\n".encode() + _NAMED
_LARGE = b'{"rsp_code":"00000","rsp_msg":"' + b"x" * 300_000 + b'"}'


def _says(data):
    """An institution that sends these bytes and waits for what comes."""

    async def script(_asked, wire):
        await wire.send(data)

    return script


def _says_and(data, then):
    async def script(_asked, wire):
        await wire.send(data)
        await then(wire)

    return script


async def _closes(wire):
    wire.close()


async def _resets(wire):
    wire.reset()


async def _waits(wire):
    await wire.left()


def _chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def _headed(status, content_type, body):
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def answers_in_small_pieces(asked, wire):
    data = wire.named(whole(body_for(asked)))
    for at in range(0, len(data), 7):
        await wire.send(data[at : at + 7])
        await asyncio.sleep(0)


async def answers_in_chunks(asked, wire):
    body = body_for(asked)
    await wire.send(_OK + b"Transfer-Encoding: chunked\r\n\r\n" + _chunk(body[:10]))
    await wire.send(_chunk(body[10:]) + b"0\r\n\r\n")


async def answers_until_it_closes(asked, wire):
    await wire.send(_OK + b"Connection: close\r\n\r\n" + body_for(asked))
    wire.close()


async def answers_like_1996(asked, wire):
    await wire.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n" + _NAMED + b"\r\n" + body_for(asked))
    wire.close()


async def answers_after_100_continue(asked, wire):
    await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n" + whole(body_for(asked)))


async def answers_without_a_type(asked, wire):
    body = body_for(asked)
    await wire.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (_NAMED, len(body), body))


async def answers_without_a_tran_id(asked, wire):
    body = body_for(asked)
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def answers_and_says_close(asked, wire):
    await wire.send(whole(body_for(asked), "Connection: close"))
    wire.close()


async def answers_gzip(asked, wire):
    await wire.send(whole(gzip.compress(body_for(asked), mtime=0), "Content-Encoding: gzip"))


async def answers_twice(asked, wire):
    await wire.send(2 * whole(body_for(asked)))


SCRIPTS = {
    script.__name__: script
    for script in (
        answers_well,
        answers_in_small_pieces,
        answers_in_chunks,
        answers_until_it_closes,
        answers_like_1996,
        answers_after_100_continue,
        answers_without_a_type,
        answers_without_a_tran_id,
        answers_and_says_close,
        answers_gzip,
        answers_twice,
    )
} | {
    "refuses_itself": _says(whole(b'{"rsp_code":"40402","rsp_msg":"x"}', status="404 Not Found")),
    "asks_to_wait": _says(whole(b'{"rsp_code":"42901","rsp_msg":"x"}', "Retry-After: 7", status="429 Slow")),
    "closes_without_a_byte": _says_and(b"", _closes),
    "resets_without_a_byte": _says_and(b"", _resets),
    "closes_within_the_head": _says_and(_OK, _closes),
    "closes_within_the_body": _says_and(_OK + b"Content-Length: 100\r\n\r\n{", _closes),
    "resets_within_the_body": _says_and(_OK + b"Content-Length: 100\r\n\r\n{", _resets),
    "resets_within_the_chunks": _says_and(_OK + b"Transfer-Encoding: chunked\r\n\r\n" + _chunk(b"{"), _resets),
    "closes_within_the_chunks": _says_and(_OK + b"Transfer-Encoding: chunked\r\n\r\n" + _chunk(b"{}"), _closes),
    "resets_after_100_kb": _says_and(whole(_LARGE)[:100_000], _resets),
    "closes_after_100_kb": _says_and(whole(_LARGE)[:100_000], _closes),
    "says_nothing": _says_and(b"", _waits),
    "says_half_a_head": _says_and(_OK, _waits),
    "says_half_a_body": _says_and(_OK + b"Content-Length: 100\r\n\r\n{", _waits),
    "stops_after_100_kb": _says_and(whole(_LARGE)[:100_000], _waits),
    "says_garbage": _says(b"\x16\x03\x01 what is this?\r\n\r\n"),
    "speaks_http_2": _says(b"HTTP/2 200\r\ncontent-length: 2\r\n\r\n{}"),
    "answers_without_a_code": _says(whole(b'{"result":"OK"}')),
    "answers_in_euc_kr": _says(whole('{"rsp_code":"00000","rsp_msg":"성공"}'.encode("euc-kr"))),
    "answers_an_unknown_code": _says(whole(b'{"rsp_code":"77777","rsp_msg":"x"}')),
    "answers_success_under_500": _says(whole(b'{"rsp_code":"00000","rsp_msg":"x"}', status="500 Error")),
    "answers_its_code_late": _says(whole(b'{"rows":[' + b" " * 5000 + b'],"rsp_code":"00000","rsp_msg":"x"}')),
    "answers_half_a_json": _says(whole(_LARGE[:1000])),
    "answers_500_without_a_body": _says(whole(b"", status="500 Error")),
    "answers_text": _says(whole(b"OK")),
    "closes_behind_a_brace": _says_and(_OK + b"\r\n" + b'{"rsp_code":"00000","rows":[{}', _closes),
    "closes_within_a_large_json": _says_and(_OK + b"\r\n" + _LARGE[:100_000], _closes),
    "answers_204_with_a_body": _says(whole(b"{}", status="204 No Content")),
    "answers_204": _says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "redirects": _says(whole(b"{}", "Location: http://127.0.0.1:1/elsewhere", status="302 Found")),
    "answers_html_414": _says(_headed("414 URI Too Long", "text/html", b"<html>nginx</html>")),
    "answers_html_502": _says(_headed("502 Bad Gateway", "text/html", b"<html>nginx</html>")),
    "answers_json_503": _says(whole(b"{}", status="503 Service Unavailable")),
    "answers_html_200": _says(_headed("200 OK", "text/html; charset=UTF-8", b"<html>login</html>")),
    "answers_large_html": _says(_headed("200 OK", "text/html", b"<p>" * 50_000)),
    "switches_protocols": _says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"),
    "ends_lines_with_lf": _says(whole(b"{}").replace(b"\r\n", b"\n")),
    "ends_one_line_with_lf": _says(_OK.replace(b"200 OK\r\n", b"200 OK\n") + b"Content-Length: 2\r\n\r\n{}"),
    "says_two_lengths": _says(whole(b"{}", "Content-Length: 2")),
    "says_length_and_chunks": _says(whole(b"0\r\n\r\n", "Transfer-Encoding: chunked")),
    "says_an_odd_length": _says(_OK + b"Content-Length: +2\r\n\r\n{}"),
    "says_gzip_chunked": _says(_OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + _chunk(b"{}") + b"0\r\n\r\n"),
    "folds_a_line": _says(whole(b"{}", "X-Folded: one\r\n two")),
    "puts_a_null_into_a_header": _says(whole(b"{}", "X-Null: a\0b")),
    "breaks_its_chunks": _says(_OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
    "sends_trailers": _says(_OK + b"Transfer-Encoding: chunked\r\n\r\n" + _chunk(b"{}") + b"0\r\nA: b\r\n\r\n"),
    "says_more_than_it_said": _says(whole(b"{}") + b"more"),
    "has_an_endless_head": _says(_OK + b"X-Long: " + b"x" * 40_000),
}
