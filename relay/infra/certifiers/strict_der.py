"""DER from strangers: looked over before anybody reads it, so that no length, depth or padding surprises the reader."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asn1crypto import parser

from relay.domain.authorization.proof import Doubt, Unproven

DEPTH_MOST: Final = 24
"""A SignedData with certificates nests about 14 deep."""

NODES_MOST: Final = 4000
"""A SignedData with eight certificates has about 1200 values."""

OID_MOST: Final = 64
"""Bytes of an OBJECT IDENTIFIER; those in use have some 20. Reading one takes time by the square of its length."""

_CONSTRUCTED: Final = 1
_OID: Final = (0, 6)


@contextmanager
def foreign(what: str) -> Iterator[None]:
    """While something foreign is read, whatever goes wrong says that it is malformed: Unproven with `what` as detail.

    The parsers raise ValueError, TypeError, KeyError, UnicodeError and errors of their own; none says more than this,
    and their texts may hold what was read. Only reading stands inside; judging stands outside.
    """
    try:
        yield
    except Unproven:
        raise
    except Exception:
        raise Unproven(Doubt.MALFORMED, what) from None


def looked_over(data: bytes, what: str) -> bytes:
    """`data` when it is one value in DER (X.690 10): definite and shortest lengths, nothing behind, not too deep.

    Raises Unproven MALFORMED. Contents of primitive values are not looked at.
    """
    left = NODES_MOST
    waiting = [(data, 0)]
    with foreign(what):
        while waiting:
            contents, depth = waiting.pop()
            if depth > DEPTH_MOST:
                raise Unproven(Doubt.MALFORMED, what)
            for value, constructed in _values(contents, single=depth == 0):
                left -= 1
                if left < 0:
                    raise Unproven(Doubt.MALFORMED, what)
                if constructed:
                    waiting.append((value, depth + 1))
    return data


def _values(contents: bytes, *, single: bool) -> Iterator[tuple[bytes, bool]]:
    """The values that stand in `contents` one behind the other: what is in each, and whether it is constructed."""
    at = 0
    while at < len(contents) or (single and at == 0):
        klass, method, tag, header, value, trailer = parser.parse(contents[at:])
        length = len(header) + len(value)
        if trailer or len(parser.emit(klass, method, tag, value)) != length:
            raise ValueError("an indefinite length, or one that could be shorter")
        if (klass, tag) == _OID and len(value) > OID_MOST:
            raise ValueError("an OBJECT IDENTIFIER without end")
        yield value, method == _CONSTRUCTED
        at += length
        if single and at != len(contents):
            raise ValueError("something follows")
