"""Heads of requests and responses for differential tests: a corpus, and mutations of it."""

from random import Random

END = b"\r\n\r\n"

_GET = (
    b"GET /v1/bank/accounts?org_code=ZBAA000001&search_timestamp=0&limit=500 HTTP/1.1\r\nHost: relay.example:8443\r\n"
    b"Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJaUkxBIn0.c2lnbmF0dXJl\r\n"
    b"x-api-tran-id: ZOPA000001M00000000000001\r\nx-api-type: user-refresh\r\nAccept: application/json\r\n"
    b"User-Agent: operator/1.0"
)
_POST = (
    b"POST /v1/bank/accounts/deposit/detail HTTP/1.1\r\nhost: relay.example\r\ncontent-type: application/json;"
    b" charset=UTF-8\r\ncontent-length: 64\r\nX-API-TRAN-ID: ZOPA000001M00000000000001\r\nConnection: keep-alive"
)
_CHUNKED = (
    b"POST /oauth/2.0/token HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Transfer-Encoding: chunked\r\nConnection: close\r\nExpect: 100-continue"
)
_UNUSUAL = (
    b"GET /v1/card/cards/A-b_c~1.2/approval?next_page=%E1%84%80%2b%2F+x HTTP/1.1\r\nHost: h\r\n"
    b"X-Unusual:\tvalue \t\r\nVia: 1.1 a\r\nvia: 1.1 b\r\nX-Empty:\r\nCookie: a=\xea\xb0\x80"
)
_REQUESTS = (
    _GET,
    _POST,
    _CHUNKED,
    _UNUSUAL,
    b"POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk",
    b"POST / HTTP/1.1\r\nHost: h\r\nProxy-Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5",
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade",
    b"POST /v1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
    b"POST /v1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked",
    b"POST /v1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\nContent-Length: 18446744073709551615",
    b"POST http://user@[::1]:80/a?b#c HTTP/1.1\r\nHost: h\r\nContent-Length: 0",
    b"POST * HTTP/1.1\r\nHost: h",
    b"PUT /v1 HTTP/1.1\r\nHost: h",
    b"CONNECT h:443 HTTP/1.1\r\nHost: h",
    b"PRI * HTTP/2.0",
)
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nx-api-tran-id: ZOPA000001M00000000000001\r\n"
    b"Content-Length: 2070\r\nDate: Sun, 29 Nov 2026 20:00:00 GMT\r\nServer: nginx"
)
_RESPONSES = (
    _ANSWER,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5",
    b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\nConnection: close",
    b'HTTP/1.1 204 \r\nETag: "a"\r\nVary: Accept',
    b"HTTP/1.1 100 Continue",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c",
    b"HTTP/1.1 200\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5 \t",
    b"HTTP/1.1 500 \xbc\xad\xb9\xf6\x00\x7f\r\nX: y\r\nX: z",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
)
_NAMES = (
    b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Proxy-Connection", b"Upgrade", b"Expect",
    b"Authorization", b"x-api-tran-id", b"Accept", b"X_Y", b"X-Unusual", b"Keep-Alive", b"ETag", b"CONTENT-LENGTH",
    b"transfer-encoding", b"Content-Lengt", b"Content-Length2", b"Content_Length", b"\xe9", b"", b"X Y", b"X\t", b"X ",
)  # fmt: skip
_VALUES = (
    b"", b" ", b"5", b"0", b"005", b"+5", b"-1", b"5,5", b"5 5", b"5\t", b"0x5", b"1e3", b"999999999999999",
    b"1000000000000000", b"0000000000000005", b"18446744073709551615", b"18446744073709551616", b"chunked", b"Chunked",
    b"chunked ", b"chunked\t", b"chunked,", b",chunked", b"gzip, chunked", b"chunked, chunked", b"xchunked",
    b"chunked;q=1", b"identity", b"close", b"keep-alive", b"upgrade", b"Upgrade", b"close, upgrade", b"upgrade,",
    b"upgradex", b"a,\tupgrade ", b"upgrade upgrade", b"h2c", b"websocket", b"h", b"a\x00b", b"a\x7f", b"a\x1b",
    b"\x80", b"\xff", b"a\rb", b"a\nb", b"a\r\n b", b"a\r\n\tb", b"100-continue", b"a, b", b'"close"', b"a\tb \t",
)  # fmt: skip
_BYTES = (
    b"\r", b"\n", b"\r\n", b"\r\r\n", b"\0", b"\t", b" ", b":", b": ", b",", b";", b"_", b"-", b"/", b"//", b"/.",
    b"/../", b"?", b"#", b"@", b"%", b"%00", b"%2e", b"%zz", b"*", b"[", b"\\", b"\x7f", b"\x80", b"\xff", b"HTTP/1.1",
    b" HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"GET ", b"POST ", b"http://", b"1", b"a", b"A", b"close", b"upgrade",
    b"chunked", b"\x0b", b"\x0c", b"\x85", b"\xa0", b"\xc4\xb0",
)  # fmt: skip


def make_corpus(*, is_request: bool) -> list[bytes]:
    """Returns the unchanged heads."""
    return [head + END for head in (_REQUESTS if is_request else _RESPONSES)]


def mutate(random: Random, *, is_request: bool) -> bytes:
    """Returns a whole head: one of the corpus with up to six changes, cut at its first empty line."""
    corpus = _REQUESTS if is_request else _RESPONSES
    head = random.choice(corpus)
    for _ in range(min(int(random.expovariate(0.7)), 6)):
        head = random.choice(_CHANGES)(random, head)
    head += END
    return head[: head.index(END) + len(END)]


def _cut(random: Random, head: bytes) -> tuple[bytes, bytes, bytes]:
    begin = random.randint(0, len(head))
    end = begin + random.choice((0, 0, 1, 1, 2, 8))
    return head[:begin], head[begin:end], head[end:]


def _replace(random: Random, head: bytes) -> bytes:
    before, _, after = _cut(random, head)
    return before + random.choice(_BYTES) + after


def _replace_by_noise(random: Random, head: bytes) -> bytes:
    before, _, after = _cut(random, head)
    return before + random.randbytes(random.randint(1, 2)) + after


def _remove(random: Random, head: bytes) -> bytes:
    before, _, after = _cut(random, head)
    return before + after


def _repeat(random: Random, head: bytes) -> bytes:
    before, part, after = _cut(random, head)
    return before + part + part + after


def _swap_case(random: Random, head: bytes) -> bytes:
    before, part, after = _cut(random, head)
    return before + part.swapcase() + after


def _add_line(random: Random, head: bytes) -> bytes:
    blank = random.choice((b"", b" ", b" ", b"\t", b"  "))
    return _insert(random, head, [random.choice(_NAMES) + b":" + blank + random.choice(_VALUES)])


def _borrow_line(random: Random, head: bytes) -> bytes:
    lines = random.choice((head, *_REQUESTS, *_RESPONSES)).split(b"\r\n")
    return _insert(random, head, [random.choice(lines[1:] or [b"X: y"])])


def _add_lines(random: Random, head: bytes) -> bytes:
    return _insert(random, head, [b"X-%d: y" % number for number in range(random.choice((3, 9, 10, 11)))])


def _insert(random: Random, head: bytes, new: list[bytes]) -> bytes:
    lines = head.split(b"\r\n")
    place = random.randint(1, len(lines))
    return b"\r\n".join([*lines[:place], *new, *lines[place:]])


def _remove_line(random: Random, head: bytes) -> bytes:
    lines = head.split(b"\r\n")
    place = random.randint(1, len(lines))
    return b"\r\n".join([*lines[:place], *lines[place + 1 :]])


def _change_value(random: Random, head: bytes) -> bytes:
    lines = head.split(b"\r\n")
    place = random.randrange(len(lines))
    lines[place] = lines[place].partition(b":")[0] + b": " + random.choice(_VALUES)
    return b"\r\n".join(lines)


_CHANGES = (
    _replace,
    _replace,
    _replace_by_noise,
    _remove,
    _repeat,
    _swap_case,
    _add_line,
    _add_line,
    _add_line,
    _borrow_line,
    _add_lines,
    _remove_line,
    _change_value,
)
