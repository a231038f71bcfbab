"""Where a list continues after one response of the core: by its continuation key, by page number, or by offset.

A position is a key of texts, which `next_page` seals: the continuation key; page number and rows of a page; or offset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relay.domain.fault import FAULTS, Refusal
from relay.policy.mediation.conversion import add_position
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.paging.seal import NEXT_PAGE_FORM
from relay.policy.mediation.settings import ListPaging, NumberedPaging
from relay.policy.mediation.telegram.decoding import Table

Key = tuple[str, ...]

_MAX_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class ReadResponse:
    """One decoded response of a list: key and `page_size` of its request, and the `received` rows of `group`."""

    message: str
    table: Table
    group: str
    key: Key
    page_size: int
    received: int

    def locate(self, name: str) -> str:
        """Returns the path of a field or list in JSON, that of the last row if rows have it; in a telegram its name."""
        rows = self.table.groups.get(self.group)
        if rows is not None and name not in self.table.columns and name in rows.columns and rows.locate is not None:
            return rows.locate(name, max(self.received - 1, 0))
        return name if self.table.locate is None else self.table.locate(name, 0)


def place_request(context: dict[str, str], paging: ListPaging, key: Key, rows: int) -> int:
    """Adds the position of one request to its context. Returns the rows that it asks for, at most `rows`.

    Fixed pages have `paging.rows`. Other pages of a core have one size: that of the first request of the list, which is
    part of the key. Raises Refusal (40001) for a key of another kind: the settings have changed since its `next_page`
    was sent.
    """
    try:
        is_fixed = isinstance(paging, NumberedPaging) and paging.fixed
        return _place(context, paging, key, paging.rows if is_fixed else min(paging.rows, rows))
    except (ValueError, IndexError):
        raise Refusal(FAULTS["parameter_malformed"], NEXT_PAGE_FORM) from None


def _place(context: dict[str, str], paging: ListPaging, key: Key, rows: int) -> int:
    if not isinstance(paging, NumberedPaging) or paging.by == "key":
        add_position(context, paging, key, rows)
        return rows
    context["page"] = "next" if key else "first"
    if paging.by == "offset":
        context["offset"] = str((int(key[0]) if key else 0) + paging.start)
    else:
        context["page_number"], rows = (key[0], int(key[1])) if key else (str(paging.start), rows)
    context["rows"] = str(rows)
    return rows


def read_next_key(paging: ListPaging, response: ReadResponse) -> Key | None:
    """Returns the key of the next request, None when there are no more rows. Raises ConversionError."""
    if not isinstance(paging, NumberedPaging) or paging.by == "key":
        return _read_continuation(paging, response)
    key, received = response.key, response.received
    following: Key
    if paging.by == "offset":
        number = int(key[0] if key else "0")
        following, read = (str(number + received),), number + received
    else:
        number = int(key[0]) if key else paging.start
        if received > response.page_size:
            expected = f"at most {response.page_size} rows, as asked for"
            raise ConversionError(response.message, -1, response.locate(response.group), expected)
        following = (str(number + 1), str(response.page_size))
        read = (number - paging.start) * response.page_size + received
    if paging.more:
        has_more = _has_more(paging, response)
    elif paging.total is not None:
        has_more = _is_below(read, paging.total, response)
    elif paging.pages is not None:
        has_more = _is_below(number - paging.start + 1, paging.pages, response)
    else:
        has_more = received >= response.page_size
    if has_more and not received:
        raise ConversionError(response.message, -1, response.locate(response.group), "rows, because there are more")
    return following if has_more else None


def _has_more(paging: ListPaging, response: ReadResponse) -> bool:
    """Returns whether `more` matches. Raises ConversionError when there is `last`, and neither of them does."""
    has_more = _matches(paging.more, response.table)
    if not has_more and paging.last and not _matches(paging.last, response.table):
        name = next(iter(paging.last))
        place = response.table.find_offset(name, 0)
        raise ConversionError(response.message, place, name, "a value of paging.more or paging.last")
    return has_more


def _matches(more: Mapping[str, Sequence[str]], table: Table) -> bool:
    return all(table.get(name) in codes for name, codes in more.items())


def _read_number(name: str, response: ReadResponse) -> int:
    text = response.table.get(name)
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        expected = "a number, which tells whether there are more rows"
        raise ConversionError(response.message, -1, response.locate(name), expected)
    return int(text)


def _is_below(read: int, name: str, response: ReadResponse) -> bool:
    """Returns whether the core has more than was read. Raises ConversionError when it has said that it has less."""
    total = _read_number(name, response)
    if total < read and response.received:
        raise ConversionError(response.message, -1, response.locate(name), "a number that counts what was read")
    return read < total


def _read_continuation(paging: ListPaging, response: ReadResponse) -> Key | None:
    """Returns the continuation key, None when there are no more rows."""
    table = response.table
    rows = table.groups.get(response.group)
    key = []
    for name in paging.key:
        column: Sequence[bytes] = table.columns.get(name, ())
        if not column and rows is not None and rows.rows:
            column = rows.columns.get(name, ())
        key.append(column[-1].decode() if column else "")
    if not paging.more:
        return tuple(key) if any(key) else None
    has_more = _has_more(paging, response)
    if has_more and not any(key):
        place = table.find_offset(paging.key[0], 0)
        expected = "a continuation key, because there are more rows"
        raise ConversionError(response.message, place, response.locate(paging.key[0]), expected)
    return tuple(key) if has_more else None
