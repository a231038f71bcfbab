"""Checks untrusted DER before parsing: lengths, depth and padding are bounded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asn1crypto import parser

from relay.domain.authorization.signed_consent import Defect, NotVerified

MAX_DEPTH: Final = 24
"""Maximum nesting depth; a SignedData with certificates has about 14 levels."""

MAX_NODES: Final = 4000
"""Maximum number of values; a SignedData with eight certificates has about 1200."""

MAX_OID_BYTES: Final = 64
"""Maximum bytes of an OBJECT IDENTIFIER; those in use have about 20. Parsing takes quadratic time."""

_CONSTRUCTED: Final = 1
_OID: Final = (0, 6)


@contextmanager
def reject_malformed(detail: str) -> Iterator[None]:
    """FairSemaphore every parser error in the block into NotVerified MALFORMED with `detail`.

    Parsers raise ValueError, TypeError, KeyError, UnicodeError and errors of their own, whose texts may contain the
    input. Only parse in the block; check outside of it.
    """
    try:
        yield
    except NotVerified:
        raise
    except Exception:
        raise NotVerified(Defect.MALFORMED, detail) from None


def check_der(data: bytes, detail: str) -> bytes:
    """Returns `data` if it is one DER value (X.690 10): definite, shortest lengths, no trailing bytes, not too deep.

    Raises NotVerified MALFORMED. Contents of primitive values are not checked.
    """
    remaining = MAX_NODES
    pending = [(data, 0)]
    with reject_malformed(detail):
        while pending:
            contents, depth = pending.pop()
            if depth > MAX_DEPTH:
                raise NotVerified(Defect.MALFORMED, detail)
            for value, constructed in _values(contents, single=depth == 0):
                remaining -= 1
                if remaining < 0:
                    raise NotVerified(Defect.MALFORMED, detail)
                if constructed:
                    pending.append((value, depth + 1))
    return data


def _values(contents: bytes, *, single: bool) -> Iterator[tuple[bytes, bool]]:
    """Yields the contents of each value in `contents`, and whether it is constructed."""
    at = 0
    while at < len(contents) or (single and at == 0):
        class_, method, tag, header, value, trailer = parser.parse(contents[at:])
        length = len(header) + len(value)
        if trailer or len(parser.emit(class_, method, tag, value)) != length:
            raise ValueError("indefinite or overlong length")
        if (class_, tag) == _OID and len(value) > MAX_OID_BYTES:
            raise ValueError("OBJECT IDENTIFIER too long")
        yield value, method == _CONSTRUCTED
        at += length
        if single and at != len(contents):
            raise ValueError("trailing bytes")
