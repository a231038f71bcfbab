"""The scanners of heads, pure and compiled, beside llhttp and the rules of the relay."""

import time
from random import Random

import pytest
from harness.head_difference import compare, compare_corpus, find_difference
from harness.head_mutations import make_corpus, mutate
from hypothesis import given
from hypothesis import strategies as st

from relay.wire.head_scanner import USUAL

HEADS = 3000
FULL_S = 60
POST = b"POST /v1 HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\n%b\r\n\r\n"

REFUSED_REQUESTS = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    b"Transfer-Encoding: chunked\t",
    b"Transfer-Encoding: chunked \t",
    b"Transfer-Encoding: chunked\t ",
    b"Content-Length: 0\r\nConnection: upgrade\r\nUpgrade: h2c",
    b"Content-Length: 5\r\nConnection: upgrade\r\nUpgrade: h2c",
    b"Upgrade: h2c\r\nConnection: close,\tUpgrade ",
    b"Upgrade: h2c\r\nProxy-Connection: upgrade",
    b"Upgrade: h2c\r\nUpgrade:\r\nConnection: upgrade",
    b"Proxy-Connection: upgrade\r\nUpgrade: h2c\r\nProxy-Connection: close",
    b"Server",
    b"Content-Length",
    b"X-Tab\t: y",
    b"X: a\x0bb",
    b"X: a\x1fb",
]
ACCEPTED_REQUESTS = [
    (b"Content-Length: 5 ", 5),
    (b"Content-Length:\t5\t ", 5),
    (b"Content-Length: 000000000000005", 5),
    (b"Content-Length: 999999999999999", 999999999999999),
    (b"Connection: upgrade", 0),
    (b"Upgrade: h2c", 0),
    (b"Upgrade:\r\nConnection: upgrade", 0),
    (b"Upgrade: \t \r\nConnection: upgrade", 0),
    (b"Upgrade: h2c\r\nConnection: upgradex", 0),
    (b"Upgrade: h2c\r\nConnection: x-upgrade", 0),
    (b"Upgrade: h2c\r\nConnection: upgrade upgrade", 0),
    (b"Upgrade: h2c\r\nKeep-Alive: upgrade", 0),
    (b"Proxy-Connection: close", 0),
    (b"X: a\tb\x80\xff", 0),
]
REFUSED_RESPONSES = [
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 101\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"HTTP/1.1 20\r\n\r\n",
    b"HTTP/1.1 200OK\r\n\r\n",
    b"HTTP/1.1 200\tOK\r\n\r\n",
    b"HTTP/1.1 20x OK\r\n\r\n",
    b"HTTP/1.1 200 O\rK\r\n\r\n",
    b"HTTP/1.1 200 O\nK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\r\n\r\n",
    b"HTTP/1.1\t200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
]
ACCEPTED_RESPONSES = [
    (b"HTTP/1.1 200\r\n\r\n", (200, {}, None, False, True)),
    (b"HTTP/1.1 000 \r\n\r\n", (0, {}, None, False, True)),
    (b"HTTP/1.1 599 \0\x01\x7f\xff\t\r\n\r\n", (599, {}, None, False, True)),
    (
        b"HTTP/1.1 200 " + b"long " * 40 + b"\r\nContent-Length: 5 \t\r\n\r\n",
        (200, {b"content-length": b"5"}, 5, False, False),
    ),
    (RESPONSE % b"Transfer-Encoding: chunked\t", (200, {b"transfer-encoding": b"chunked"}, None, True, False)),
    (
        RESPONSE % b"Content-Length: 0\r\nConnection: upgrade, close\r\nUpgrade: h2c",
        (200, {b"content-length": b"0", b"connection": b"upgrade, close", b"upgrade": b"h2c"}, 0, False, True),
    ),
]


@pytest.mark.parametrize("field", REFUSED_REQUESTS)
def test_a_field_that_llhttp_refuses_is_refused(scanner, field):
    assert scanner.scan_request(POST % field, 100) is None
    assert find_difference(POST % field, 100, is_request=True)[1] == ""


@pytest.mark.parametrize(("field", "length"), ACCEPTED_REQUESTS)
def test_a_field_that_llhttp_accepts_is_accepted(scanner, field, length):
    assert scanner.scan_request(POST % field, 100)[5] == length
    assert find_difference(POST % field, 100, is_request=True)[1] == ""


@pytest.mark.parametrize("raw", REFUSED_RESPONSES)
def test_a_response_that_llhttp_refuses_is_refused(scanner, raw):
    assert scanner.scan_response(raw, 100) is None
    assert find_difference(raw, 100, is_request=False)[1] == ""


@pytest.mark.parametrize(("raw", "fields"), ACCEPTED_RESPONSES)
def test_a_response_that_llhttp_accepts_is_accepted(scanner, raw, fields):
    assert scanner.scan_response(raw, 100) == fields
    assert find_difference(raw, 100, is_request=False)[1] == ""


def test_the_last_line_of_a_repeated_field_counts(scanner):
    headers = scanner.scan_request(POST % b"Via: a\r\nvia: b\r\nVia: c\r\nX-A: 1\r\nx-a: 2", 100)[4]
    assert headers == {b"host": b"h", b"via": b"c", b"x-a": b"2"}


@pytest.mark.parametrize("name", USUAL)
def test_usual_names_are_the_same_objects(scanner, name):
    value = b"chunked" if name == b"transfer-encoding" else b"5"
    for spelt in (name, name.upper(), name.title(), name.title().swapcase()):
        headers = scanner.scan_response(RESPONSE % (spelt + b": " + value), 100)[1]
        assert [key is name for key in headers] == [True]


def test_thousands_of_different_lines_are_parsed_alike(scanner):
    for number in range(10_000):
        status, headers, *_ = scanner.scan_response(b"HTTP/1.1 200 R%d\r\nVia: %d\r\n\r\n" % (number, number), 100)
        assert (status, headers) == (200, {b"via": b"%d" % number})


def test_a_head_that_is_cut_anywhere_is_refused(scanner):
    for is_request in (True, False):
        scan = scanner.scan_request if is_request else scanner.scan_response
        for raw in make_corpus(is_request=is_request):
            assert [end for end in range(len(raw)) if scan(raw[:end], 100) is not None] == []


def test_a_head_with_an_empty_line_inside_is_refused(scanner):
    assert scanner.scan_request(POST % b"X: y" + b"Z: z\r\n\r\n", 100) is None
    assert scanner.scan_request(POST % b"X: y" + b"\r\n", 100) is None
    assert scanner.scan_response(RESPONSE % b"X: y" + b"HTTP/1.1 200 OK\r\n\r\n", 100) is None


@pytest.mark.parametrize("byte", range(256))
def test_each_byte_anywhere_in_a_head_is_judged_as_by_llhttp(byte):
    for is_request, raw in ((True, POST % b"Via: a b"), (False, RESPONSE % b"Via: a b")):
        for place in range(len(raw) - 4):
            mutated = raw[:place] + bytes([byte]) + raw[place + 1 :]
            whole = mutated[: mutated.index(b"\r\n\r\n") + 4]
            assert find_difference(whole, 100, is_request=is_request)[1] == ""


@pytest.mark.parametrize("length", range(1, 40))
def test_a_control_character_is_seen_at_each_place_of_a_value(scanner, length):
    for place in range(length):
        for control in (b"\0", b"\x1f", b"\x7f", b"\r", b"\n"):
            value = b"\x80" * place + control + b"~" * (length - place - 1)
            assert scanner.scan_request(POST % (b"X: a" + value + b"a"), 100) is None
        value = b"\x80" * place + b"\t" + b"~" * (length - place - 1)
        assert scanner.scan_request(POST % (b"X: a" + value + b"a"), 100)[4][b"x"] == b"a" + value + b"a"


def test_hostile_heads_of_16_kilobytes_are_refused():
    tail = b" HTTP/1.1\r\nHost: h\r\n\r\n"
    fill = 16000
    heads = [
        b"GET /" + b"a" * fill + b"\x01" + tail,
        b"GET /?" + b"%41" * (fill // 3) + b"%" + tail,
        b"GET /?" + b"?" * fill + b"#" * fill + b" " + tail,
        b"POST " + b" " * fill + b"/" + b" " * fill + tail,
        b"POST " + b"a" * fill + tail,
        b"POST a://" + b"a@" * (fill // 2) + b"@@" + tail,
        b"POST a://" + b"a:" * (fill // 2) + b"#" + tail,
        POST % (b"X: " + b"\t" * fill + b"\x01"),
        POST % (b"X: " + b" a" * (fill // 2) + b"\x7f"),
        POST % (b"X" * fill),
        POST % (b"a:b\r\n" * (fill // 5) + b"_: c"),
        POST % (b"Content-Length: " + b"1" * fill),
        POST % (b"Content-Length: " + b"0" * fill + b"5"),
        POST % (b"Transfer-Encoding: " + b"chunked," * (fill // 8)),
        POST % (b"Transfer-Encoding: " + b"," * fill + b"chunked"),
        POST % (b"Upgrade: a\r\nConnection: " + b"upgrade " * (fill // 8) + b",upgrade"),
    ]
    for raw in heads:
        expected, difference = find_difference(raw, 100, is_request=True)
        assert (len(expected), difference) == (3, "")


def test_the_corpus_has_no_difference():
    assert compare_corpus() == []


def test_mutated_heads_have_no_difference():
    verdicts, differences = compare(0, HEADS)
    assert differences == []
    assert {"GET", "POST", "RESPONSE", "head_malformed", "head_too_large", "target_malformed"} <= verdicts.keys()


@pytest.mark.full
def test_mutated_heads_have_no_difference_for_a_minute():
    end, seed = time.monotonic() + FULL_S, 1000
    while time.monotonic() < end:
        assert compare(seed, HEADS)[1] == []
        seed += 1


LINES = st.lists(st.integers(0, 2**32).map(lambda seed: mutate(Random(seed), is_request=True)), max_size=3)


@given(LINES, st.binary(max_size=40), st.booleans())
def test_joined_heads_and_noise_have_no_difference(heads, noise, is_request):
    raw = (b"\r\n".join([head[:-4] for head in heads] + [noise])) + b"\r\n\r\n"
    raw = raw[: raw.index(b"\r\n\r\n") + 4]
    assert find_difference(raw, 100, is_request=is_request)[1] == ""
