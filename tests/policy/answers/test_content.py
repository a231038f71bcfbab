import gzip
import zlib

import pytest

from relay.policy.answers.content import MAX_BYTES, MAX_OBJECTS, ContentError, TooLarge, read_content
from relay.policy.answers.rules import Rule

GZIP = {b"content-encoding": b"gzip"}
BODY = b'{"rsp_code":"00000"}'


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, BODY),
        ({b"content-encoding": b"identity"}, BODY),
        (GZIP, gzip.compress(BODY, mtime=0)),
        ({b"content-encoding": b"Deflate"}, zlib.compress(BODY)),
        ({}, b" " + BODY + b"\n"),
    ],
    ids=["plain", "identity", "gzip", "deflate", "white space"],
)
def test_an_object_is_read_in_each_coding(headers, body):
    assert read_content(headers, body) == {"rsp_code": "00000"}


@pytest.mark.parametrize(
    ("headers", "body", "rule"),
    [
        ({b"content-encoding": b"br"}, BODY, Rule.CODING),
        (GZIP, BODY, Rule.CODING),
        (GZIP, gzip.compress(BODY, mtime=0)[:-9], Rule.CODING),
        (GZIP, gzip.compress(BODY, mtime=0) * 2, Rule.CODING),
        ({}, BODY[:-1], Rule.JSON),
        ({}, BODY + b"}", Rule.JSON),
        ({}, b'{"a":NaN}', Rule.JSON),
        ({}, b"[" * 5_000, Rule.JSON),
        ({}, b'"a"', Rule.OBJECT),
        ({}, b'{"a":"\xb0\xa1"}', Rule.CHARSET),
        ({}, b'{"a":[{"b":"1","b":"1"}]}', Rule.DUPLICATE),
    ],
    ids=[
        "br",
        "no gzip",
        "half a gzip",
        "two gzips",
        "truncated",
        "too much",
        "NaN",
        "nested",
        "text",
        "EUC-KR",
        "twice",
    ],
)
def test_an_unreadable_body_names_its_rule(headers, body, rule):
    with pytest.raises(ContentError) as error:
        read_content(headers, body)
    assert error.value.rule is rule


def test_a_body_that_decodes_to_too_much_breaks_no_rule():
    with pytest.raises(TooLarge):
        read_content(GZIP, gzip.compress(b" " * (MAX_BYTES + 1), mtime=0))


@pytest.mark.parametrize("item", [b"{},", b"[],"])
def test_a_body_of_too_many_objects_breaks_no_rule(item):
    body = b'{"a":[%b0]}'
    assert len(read_content({}, body % (item * (MAX_OBJECTS - 2)))["a"]) == MAX_OBJECTS - 1
    with pytest.raises(TooLarge):
        read_content({}, body % (item * (MAX_OBJECTS - 1)))
