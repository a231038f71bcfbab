"""Days, months and windows: when things happen in the stories, and which of them a question may see."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from relay.sandbox.world.model import Absent, Ask

DAY: Final = timedelta(days=1)


def month_later(day: date, months: int) -> date:
    """The same day `months` later, or the last of that month when it is shorter."""
    count = day.year * 12 + day.month - 1 + months
    year, month = divmod(count, 12)
    return date(year, month + 1, min(day.day, month_end(date(year, month + 1, 1)).day))


def month_end(day: date) -> date:
    """The last day of the month of `day`."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - DAY


def months_passed(start: date, day: date) -> int:
    """Whole months from `start` to `day`; -1 or less before `start`."""
    months = (day.year - start.year) * 12 + day.month - start.month
    return months if month_later(start, months) <= day else months - 1


def months_between(first: date, last: date) -> Iterator[date]:
    """The first day of each month that `first` to `last` touches."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = month_later(month, 1)


def next_anniversary(of: date, after: date) -> date:
    """The first yearly return of `of` later than `after`."""
    years = months_passed(of, after) // 12 + 1
    return month_later(of, 12 * max(years, 1))


def term_of(first: date, months: int, day: date) -> tuple[date, date]:
    """The start and end of the term that runs on `day`, when terms of `months` follow each other from `first` on."""
    turn = max(months_passed(first, day), 0) // months
    return month_later(first, turn * months), month_later(first, (turn + 1) * months)


def at(day: date, seconds: int) -> datetime:
    """A moment of `day`, `seconds` after midnight."""
    return datetime.combine(day, time()) + timedelta(seconds=seconds)


def day_of(moment: date | datetime) -> date:
    """The day of a moment or of a day."""
    return moment.date() if isinstance(moment, datetime) else moment


def window(ask: Ask) -> tuple[date, date]:
    """The days asked for, none of them later than today."""
    return _asked(ask, "from_date"), min(_asked(ask, "to_date"), ask.today)


def _asked(ask: Ask, name: str) -> date:
    try:
        return datetime.strptime(ask.params[name], "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except (KeyError, ValueError) as error:
        raise Absent(400, "40001", f"요청 파라미터 오류: {name}") from error


def newest_first(ask: Ask, rows: Iterable[dict[str, Any]], by: str = "trans_dtime") -> list[dict[str, Any]]:
    """Those of `rows`, told in the order they happened, that lie in the window asked for; the latest first."""
    first, last = window(ask)
    return [row for row in rows if first <= day_of(row[by]) <= last][::-1]
