"""What codecs of fields have in common: a codec converts whole columns, the values of one field in all rows of a page.

Decoded values are UTF-8 in their shortest form, `b""` for none: text without padding, numbers without leading zeros.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from relay.policy.mediation.errors import ValueFault
from relay.policy.mediation.telegram.notation import Item

Column = Sequence[bytes]
"""Values of one field, one for each row."""

BLANK: Final = b" "
ZERO: Final = b"0"


class Kind(StrEnum):
    """What decoded values of a codec are; it decides which fields of the standard they may become."""

    ASCII = "ASCII text"
    TEXT = "text"
    DIGITS = "digits"
    NUMBER = "a number"
    DATE = "a date"
    TIME = "a time"
    DATETIME = "a date and time"
    FILLER = "a filler"


class Codec(ABC):
    """Decodes columns and encodes single values of one field.

    `length` is the length in the telegram. `max_bytes` bounds decoded values in bytes; `digits` and `scale` are the
    digits of numbers before and after the decimal point.
    """

    kind: Kind
    digits: int = 0
    scale: int = 0

    def __init__(self, item: Item) -> None:
        self.length = item.bytes
        self.max_bytes = item.bytes
        self.zero_blank = item.zero_blank

    @abstractmethod
    def decode(self, column: Column) -> Column:
        """Returns decoded values. Raises ValueFault for the first value that is not one of the field."""

    @abstractmethod
    def encode(self, text: str) -> bytes:
        """Returns exactly `length` bytes; "" becomes the blank value. Raises ValueFault."""


class FillerCodec(Codec):
    """A filler: blanks in requests, anything in responses."""

    kind = Kind.FILLER

    def decode(self, column: Column) -> Column:
        """Returns no values."""
        return [b""] * len(column)

    def encode(self, text: str) -> bytes:  # noqa: ARG002 - fillers have no value
        """Returns blanks."""
        return BLANK * self.length


def raise_first(column: Column, is_valid: Callable[[bytes], object], expected: str) -> None:
    """Raises ValueFault for the first value that fails a test; returns when there is none."""
    for index, value in enumerate(column):
        if not is_valid(value):
            raise ValueFault(index, expected)


def to_ascii(text: str, expected: str) -> bytes:
    """Returns a text as printable ASCII. Raises ValueFault."""
    if not (text.isascii() and text.isprintable()):
        raise ValueFault(0, expected)
    return text.encode("ascii")


def find_misfit(codec: Codec, text: str) -> tuple[str, str] | None:
    """Returns what is wrong with a text that is never a value of a field, and what is allowed; None for a value."""
    try:
        value = codec.decode([codec.encode(text)])[0].decode()
    except ValueFault as fault:
        return "does not fit in", fault.expected
    return None if value == text else (f"reads as {value or 'blank'} in", "a value that the field can have")
