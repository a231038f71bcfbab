"""Drafts layout files from captured telegrams: what is known is written, what is guessed is marked.

A draft is valid YAML of the layouts' form, so that `relay check` names what is still to be decided.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from relay.policy.mediation.drafting import draft_fields
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.telegram.framing import Framing, FramingSettings

MARK: Final = "# to be decided"
"""Marks every guess."""

NO_API: Final = "XX00"
"""Stands for the API of a draft; no API has this code, so that `relay check` lists the codes."""

_SMALLEST: Final = 8
_MAX_OFFSET: Final = 32
_KINDS: Final = ((b"0200", b"0210"), (b"0100", b"0110"), (b"0300", b"0310"))
_KIND_BYTES: Final = 4
_MAX_HEADER: Final = 512
"""Bytes in which the message type is looked for."""

_HEAD: Final = """\
# Draft from captured telegrams: types and borders are guesses from single values. It holds no value of them.
# To be decided, with the bank's specification: the names of fields (those of the standard need no `answer`), rows that
# repeat (one `list` with `count` or `times`), numbers with decimals, and `answer`. Then run `relay check`.
"""


@dataclass(frozen=True, slots=True)
class CapturedPair:
    """A request and its response, of the same transaction code; one of them may be missing."""

    code: str
    request: bytes | None = None
    response: bytes | None = None
    response_code: str = ""


def guess_framing(data: bytes) -> FramingSettings | None:
    """Returns the framing that divides a captured stream into whole telegrams, None when no usual one does.

    Length fields of digits come before binary ones, those at the beginning before others.
    """
    for offset in range(_MAX_OFFSET):
        for settings in _iter_framings(offset):
            framing = Framing(settings, settings.offset + settings.length)
            if _count_telegrams(data, framing):
                return settings
    return None


def _iter_framings(offset: int) -> Iterator[FramingSettings]:
    forms = [("ascii", length) for length in (4, 6, 8, 5, 10)]
    forms += [("binary", 2), ("binary", 4), ("little", 4), ("little", 2)]
    for encoding, length in forms:
        for counts in ("rest", "all"):
            yield FramingSettings.model_validate(
                {"length": length, "encoding": encoding, "offset": offset, "counts": counts, "max_bytes": 4_194_304}
            )


def _count_telegrams(data: bytes, framing: Framing) -> int:
    """Returns the number of telegrams, 0 when they are not whole."""
    position = count = 0
    while position < len(data):
        try:
            size = framing.read_size(data[position : position + framing.end])
        except ConversionError:
            return 0
        if size < max(_SMALLEST, framing.end + 1):
            return 0
        position, count = position + size, count + 1
    return count if position == len(data) else 0


def draft_link(telegrams: Sequence[bytes], framing: FramingSettings, charset: str, header_bytes: int) -> str:
    """Returns a draft of `link.yaml`. `header_bytes` is the size of the header with the length field."""
    header = telegrams[0][:header_bytes]
    parts = [f"length: {framing.length}"]
    parts += [f"encoding: {framing.encoding}"] if framing.encoding != "ascii" else []
    parts += [f"offset: {framing.offset}"] if framing.offset else []
    parts += [f"counts: {framing.counts}"] if framing.counts != "rest" else []
    fields = list(_draft_header(header, framing, charset, find_kind(telegrams)))
    lines = [f"charset: {charset}", f"framing: {{{', '.join(parts)}}}", "header:" if fields else "header: []"]
    lines += [f"  - {line}" for line in fields]
    codes = "{'0000': '00000'}"
    lines += ["response_code:", f"  field: resp_code  {MARK}: the field of the header with this meaning"]
    lines += [f"  codes: {codes}  {MARK}: all response codes of the core, from its specification"]
    return _HEAD + "\n".join(lines) + "\n"


def find_kind(telegrams: Sequence[bytes]) -> int | None:
    """Returns the offset at which all telegrams have a usual message type (0200, 0210), None for none."""
    for request, response in _KINDS:
        for offset in range(min(_MAX_HEADER, *map(len, telegrams)) - _KIND_BYTES + 1):
            kinds = {telegram[offset : offset + _KIND_BYTES] for telegram in telegrams}
            if kinds <= {request, response}:
                return offset
    return None


def _draft_header(header: bytes, framing: FramingSettings, charset: str, kind: int | None) -> Iterator[str]:
    """Yields the fields of a header: the length field, the message type, and guesses."""
    length_end = framing.offset + framing.length
    is_first = framing.offset == 0
    fixed: list[tuple[int, int, str]] = []
    if is_first:
        fixed.append((0, length_end, ""))
    else:
        form = f"n({framing.length})" if framing.encoding == "ascii" else f"binary({framing.length}) unsigned"
        little = " little" if framing.encoding == "little" else ""
        fixed.append((framing.offset, length_end, f"length {form}{little} = $length"))
    if kind is not None and kind >= length_end:
        fixed.append((kind, kind + _KIND_BYTES, f"msg_type n({_KIND_BYTES}) = $kind"))
    position = 0
    for start, end, line in fixed:
        yield from _mark(draft_fields(header[position:start], charset, position))
        if line:
            yield line
        position = end
    yield from _mark(draft_fields(header[position:], charset, position))


def _mark(lines: Iterable[str]) -> Iterator[str]:
    """Yields lines with the mark of guesses; blanks say nothing about a field and are marked, too."""
    return (f"{line}  {MARK}" for line in lines)


def draft_message(pair: CapturedPair, charset: str, header_bytes: int, api: str = "") -> str:
    """Returns a draft of the file of an API from a request and its response."""
    code = pair.code.replace("'", "''")
    lines = [f"api: {api}" if api else f"api: {NO_API}  {MARK}: the api_code; `relay apis` lists them"]
    lines += [f"code: '{code}'" if code else f"code: ''  {MARK}: the transaction code"]
    for side, data in (("request", pair.request), ("response", pair.response)):
        lines.append(f"{side}:")
        if side == "response" and pair.response_code not in {"", pair.code}:
            lines.append(f"  code: '{pair.response_code}'")
        if data is None:
            lines.append(f"  fields: []  {MARK}: no {side} was captured")
            continue
        drafted = list(_mark(draft_fields(data[header_bytes:], charset, header_bytes)))
        lines.append("  fields:" if drafted else "  fields: []")
        lines += [f"    - {line}" for line in drafted]
    return _HEAD + "\n".join(lines) + "\n"
