"""Errors of conversion. They name places and expectations, never a value."""

from dataclasses import dataclass


class ConversionError(Exception):
    """A telegram or a value cannot be converted; the response is 50007.

    `message` names the message (`BA04 response`), `offset` the byte from the start of the telegram, `field` the field
    with its row (`trans[3].amount`), `expected` what belongs there. The text of the error is the detail of the record.
    """

    def __init__(self, message: str, offset: int, field: str, expected: str) -> None:
        super().__init__(message, offset, field, expected)
        self.message = message
        self.offset = offset
        self.field = field
        self.expected = expected

    def __str__(self) -> str:
        place = f"{self.message}: offset {self.offset}" if self.offset >= 0 else self.message
        return f"{place}: {self.field}: expected {self.expected}"


class UnfitAsset(ConversionError):
    """An asset of the call does not fit in the field of the core: no such asset exists there (404, 40402)."""


class ForeignResponse(ConversionError):
    """A response does not repeat a value of its request: it may be that of another one."""


class ValueFault(Exception):
    """A codec or check refuses the value of row `index`, at byte `position` of the value; its caller adds the place."""

    def __init__(self, index: int, expected: str, position: int = 0) -> None:
        super().__init__(index, expected, position)
        self.index = index
        self.expected = expected
        self.position = position


class LayoutError(Exception):
    """A part of a layout is wrong; `key` is its dotted key within the file, `allowed` what may stand there."""

    def __init__(self, key: str, wrong: str, allowed: str = "") -> None:
        super().__init__(key, wrong, allowed)
        self.key = key
        self.wrong = wrong
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class LayoutProblem:
    """One problem of a layout file: the file, the dotted key, what is wrong, what is allowed. It repeats no secret."""

    file: str
    key: str
    wrong: str
    allowed: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: {self.key}" if self.key else self.file
        return f"{place}: {self.wrong}; expected: {self.allowed}" if self.allowed else f"{place}: {self.wrong}"
