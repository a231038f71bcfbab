"""Months as bills count them, and windows that end yesterday: what happens today is in no book yet (규격 3.3.2)."""

from datetime import date, datetime, time
from typing import Final

from relay.sandbox.world.days import DAY, get_month_end, parse_window
from relay.sandbox.world.model import Absent, Ask

YEAR: Final = 12


def get_yesterday(request: Ask) -> date:
    """The last day whose books are closed."""
    return request.today - DAY


def to_month(day: date) -> date:
    """The first day of the month of `day`: how a month is held in these stories."""
    return day.replace(day=1)


def get_day(month: date, day: int) -> date:
    """That day of the month; its last day where the month is shorter."""
    return month.replace(day=min(day, get_month_end(month).day))


def format_month(month: date) -> str:
    """The month as the standard writes it, YYYYMM."""
    return f"{month:%Y%m}"


def to_datetime(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A moment of the day by the clock on the wall."""
    return datetime.combine(day, time(hour, minute, second))


def parse_day_window(request: Ask) -> tuple[date, date]:
    """The days asked for, ending yesterday at the latest."""
    start, end = parse_window(request)
    return start, min(end, get_yesterday(request))


def parse_month_window(request: Ask) -> tuple[date, date]:
    """The months asked for, from `from_month` to `to_month`, ending with the current one at the latest."""
    return parse_month(request, "from_month"), min(parse_month(request, "to_month"), to_month(request.today))


def parse_month(request: Ask, name: str) -> date:
    """The month a parameter names; Absent (40001) when it names none."""
    try:
        return date.fromisoformat(f"{request.params[name]}01")
    except (KeyError, ValueError) as error:
        raise Absent(400, "40001", f"요청 파라미터 오류: {name}") from error
