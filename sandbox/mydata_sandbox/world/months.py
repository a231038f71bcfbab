"""Billing months, and requested periods that end yesterday: today's data is not booked yet (규격 3.3.2)."""

from datetime import date, datetime, time
from typing import Final

from mydata_sandbox.world.days import DAY, get_month_end, parse_window
from mydata_sandbox.world.model import ApiError, DataRequest

YEAR: Final = 12


def get_yesterday(request: DataRequest) -> date:
    """Returns yesterday, the last day that is booked."""
    return request.today - DAY


def to_month(day: date) -> date:
    """Returns the first day of the month of `day`; a month is represented by it."""
    return day.replace(day=1)


def get_day(month: date, day: int) -> date:
    """Returns the given day of a month, or its last day if the month is shorter."""
    return month.replace(day=min(day, get_month_end(month).day))


def format_month(month: date) -> str:
    """Returns the month as YYYYMM."""
    return f"{month:%Y%m}"


def to_datetime(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Returns the local time on `day`."""
    return datetime.combine(day, time(hour, minute, second))


def parse_day_window(request: DataRequest) -> tuple[date, date]:
    """Returns the requested period, ending yesterday at the latest."""
    start, end = parse_window(request)
    return start, min(end, get_yesterday(request))


def parse_month_window(request: DataRequest) -> tuple[date, date]:
    """Returns the requested months, from `from_month` to `to_month`, ending with this month at the latest."""
    return parse_month(request, "from_month"), min(parse_month(request, "to_month"), to_month(request.today))


def parse_month(request: DataRequest, name: str) -> date:
    """Returns the month in a parameter. Raises ApiError (40001) if it is not a month."""
    try:
        return date.fromisoformat(f"{request.params[name]}01")
    except (KeyError, ValueError) as error:
        raise ApiError(400, "40001", f"요청 파라미터 오류: {name}") from error
