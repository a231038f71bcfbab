"""Fields that are padded with NUL, or in which certain values stand for none."""

from collections.abc import Sequence
from typing import Final

from relay.policy.mediation.telegram.codec import BLANK, Codec, Column, Kind
from relay.policy.mediation.telegram.notation import Item

NUL: Final = b"\0"
NUL_TYPES: Final = ("an", "ah")
BLANK_VALUE_TYPES: Final = ("an", "ah", "n", "amount", "decimal", "zoned", "date", "time", "datetime")
"""Types whose bytes are text: a blank is no value of theirs."""


class BlankValuesCodec(Codec):
    """A codec that takes NUL for blanks, and some values for none; another codec converts what is left."""

    def __init__(self, item: Item, inner: Codec, codes: Sequence[str]) -> None:
        super().__init__(item)
        self._inner = inner
        self._has_nul = item.pad == "nul"
        self._codes = frozenset(code.encode() for code in codes)
        self.kind: Kind = inner.kind
        self.max_bytes = inner.max_bytes
        self.digits = inner.digits
        self.scale = inner.scale

    def decode(self, column: Column) -> Column:
        """Returns decoded values."""
        blank = BLANK * self.length
        if self._has_nul:
            column = [value.rstrip(NUL).ljust(self.length) for value in column]
        if self._codes:
            column = [blank if value.strip() in self._codes else value for value in column]
        return self._inner.decode(column)

    def encode(self, text: str) -> bytes:
        """Returns the bytes of the other codec, padded with NUL if the field is."""
        value = self._inner.encode(text)
        return value.rstrip(BLANK).ljust(self.length, NUL) if self._has_nul else value
