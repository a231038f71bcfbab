"""Date arithmetic, and the requested period of a data request."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from mydata_sandbox.world.model import ApiError, DataRequest

DAY: Final = timedelta(days=1)


def add_months(day: date, months: int) -> date:
    """Returns the same day `months` later, or the last day of that month when it is shorter."""
    count = day.year * 12 + day.month - 1 + months
    year, month = divmod(count, 12)
    return date(year, month + 1, min(day.day, get_month_end(date(year, month + 1, 1)).day))


def get_month_end(day: date) -> date:
    """Returns the last day of the month of `day`."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - DAY


def count_months(start: date, day: date) -> int:
    """Returns the whole months from `start` to `day`; -1 or less before `start`."""
    months = (day.year - start.year) * 12 + day.month - start.month
    return months if add_months(start, months) <= day else months - 1


def iter_months(first: date, last: date) -> Iterator[date]:
    """Yields the first day of each month from `first` to `last`."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = add_months(month, 1)


def find_next_anniversary(start: date, after: date) -> date:
    """Returns the first anniversary of `start` later than `after`."""
    years = count_months(start, after) // 12 + 1
    return add_months(start, 12 * max(years, 1))


def find_term(first: date, months: int, day: date) -> tuple[date, date]:
    """Returns start and end of the term that includes `day`; terms of `months` follow each other from `first` on."""
    count = max(count_months(first, day), 0) // months
    return add_months(first, count * months), add_months(first, (count + 1) * months)


def add_seconds(day: date, seconds: int) -> datetime:
    """Returns the moment `seconds` after the midnight that begins `day`."""
    return datetime.combine(day, time()) + timedelta(seconds=seconds)


def to_date(moment: date | datetime) -> date:
    """Returns the date of a date or datetime."""
    return moment.date() if isinstance(moment, datetime) else moment


def parse_window(request: DataRequest) -> tuple[date, date]:
    """Returns the requested period, ending today at the latest."""
    return _parse_date(request, "from_date"), min(_parse_date(request, "to_date"), request.today)


def _parse_date(request: DataRequest, name: str) -> date:
    try:
        return datetime.strptime(request.params[name], "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except (KeyError, ValueError) as error:
        raise ApiError(400, "40001", f"요청 파라미터 오류: {name}") from error


def select_newest_first(
    request: DataRequest, rows: Iterable[dict[str, Any]], date_field: str = "trans_dtime"
) -> list[dict[str, Any]]:
    """Returns the rows in the requested period, newest first; `rows` must be oldest first."""
    first, last = parse_window(request)
    return [row for row in rows if first <= to_date(row[date_field]) <= last][::-1]
