"""Divides a stream of bytes into telegrams by their length field."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from relay.policy.mediation.errors import ConversionError
from relay.policy.settings.scalars import Section, build_error

_MESSAGE: Final = "frame"


class FramingSettings(Section):
    """The length field of each telegram: `length` digits at `offset`, or as many bytes of a binary number.

    It counts the bytes after it (`counts: rest`, the default) or the whole telegram with it (`counts: all`); `add` is
    added to it before. `max_bytes` bounds a whole telegram.
    """

    length: Annotated[int, Field(ge=1, le=10)] = 4
    encoding: Literal["ascii", "binary", "little"] = "ascii"
    offset: Annotated[int, Field(ge=0, le=1024)] = 0
    counts: Literal["rest", "all"] = "rest"
    add: Annotated[int, Field(ge=-1024, le=1024)] = 0
    max_bytes: Annotated[int, Field(ge=16, le=4_194_304)] = 65_536

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if self.encoding != "ascii" and self.length > 8:  # noqa: PLR2004 - 64 bits
            raise build_error("length", "is too large", "1 to 8 bytes of a binary number")
        return self


@dataclass(frozen=True, slots=True)
class Framing:
    """The length field of a link. `smallest` is the size of its shortest telegram."""

    settings: FramingSettings
    smallest: int

    @property
    def end(self) -> int:
        """The offset after the length field."""
        return self.settings.offset + self.settings.length

    def read_size(self, head: bytes) -> int:
        """Returns the size of the telegram that begins with `head`. Raises ConversionError for an impossible length."""
        settings = self.settings
        raw = head[settings.offset : self.end]
        if settings.encoding != "ascii":
            number = int.from_bytes(raw, "little" if settings.encoding == "little" else "big")
        elif raw.isdigit():
            number = int(raw)
        else:
            raise self._build_error()
        size = number + settings.add + (self.end if settings.counts == "rest" else 0)
        if not self.smallest <= size <= settings.max_bytes:
            expected = f"the length of a telegram of {self.smallest} to {settings.max_bytes} bytes"
            raise ConversionError(_MESSAGE, settings.offset, "length", expected)
        return size

    def check_part(self, head: bytes) -> None:
        """Raises ConversionError when a length cannot go on like this; `head` may end within it."""
        settings = self.settings
        raw = head[settings.offset : self.end]
        if settings.encoding == "ascii" and raw and not raw.isdigit():
            raise self._build_error()

    def _build_error(self) -> ConversionError:
        return ConversionError(_MESSAGE, self.settings.offset, "length", f"{self.settings.length} digits")

    def write_length(self, telegram: bytes) -> bytes:
        """Returns the telegram with its length in its length field. Raises ConversionError when it does not fit."""
        settings = self.settings
        number = len(telegram) - settings.add - (self.end if settings.counts == "rest" else 0)
        try:
            if settings.encoding == "ascii":
                value = b"%0*d" % (settings.length, number)
            else:
                value = number.to_bytes(settings.length, "little" if settings.encoding == "little" else "big")
        except OverflowError:
            value = b""
        if len(value) != settings.length or len(telegram) > settings.max_bytes:
            expected = f"a telegram of at most {settings.max_bytes} bytes whose length has {settings.length} digits"
            raise ConversionError(_MESSAGE, settings.offset, "length", expected)
        return telegram[: settings.offset] + value + telegram[self.end :]


class FrameReader:
    """Receives parts of a stream with `feed` and returns complete telegrams, each with its length field.

    After a ConversionError the stream cannot be used: where the next telegram begins is unknown.
    """

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._buffer = bytearray()
        self._size = 0
        self._error: ConversionError | None = None

    @property
    def pending(self) -> int:
        """The number of bytes of an incomplete telegram; at the end of a stream it must be 0."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Returns the telegrams that `data` completes. Raises ConversionError for garbage, and from then on.

        Telegrams before garbage are returned first; the error comes with the next call, which may have no data.
        """
        if self._error is not None:
            raise self._error
        telegrams: list[bytes] = []
        buffer = self._buffer
        buffer += data
        start = 0
        while True:
            if not self._size:
                head = bytes(buffer[start : start + self._framing.end])
                try:
                    if len(head) < self._framing.end:
                        self._framing.check_part(head)
                        break
                    self._size = self._framing.read_size(head)
                except ConversionError as error:
                    self._error = error
                    if telegrams:
                        break
                    raise
            if len(buffer) - start < self._size:
                break
            telegrams.append(bytes(buffer[start : start + self._size]))
            start += self._size
            self._size = 0
        del buffer[:start]
        return telegrams
