"""Months as bills count them, and windows that end yesterday: what happens today is in no book yet (규격 3.3.2)."""

from datetime import date, datetime, time
from typing import Final

from relay.sandbox.world.days import DAY, month_end, window
from relay.sandbox.world.model import Absent, Ask

YEAR: Final = 12


def yesterday(ask: Ask) -> date:
    """The last day whose books are closed."""
    return ask.today - DAY


def first(day: date) -> date:
    """The first day of the month of `day`: how a month is held in these stories."""
    return day.replace(day=1)


def on(month: date, day: int) -> date:
    """That day of the month; its last day where the month is shorter."""
    return month.replace(day=min(day, month_end(month).day))


def code(month: date) -> str:
    """The month as the standard writes it, YYYYMM."""
    return f"{month:%Y%m}"


def clock(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A moment of the day by the clock on the wall."""
    return datetime.combine(day, time(hour, minute, second))


def day_window(ask: Ask) -> tuple[date, date]:
    """The days asked for, ending yesterday at the latest."""
    start, end = window(ask)
    return start, min(end, yesterday(ask))


def month_window(ask: Ask) -> tuple[date, date]:
    """The months asked for, from `from_month` to `to_month`, ending with the current one at the latest."""
    return asked_month(ask, "from_month"), min(asked_month(ask, "to_month"), first(ask.today))


def asked_month(ask: Ask, name: str) -> date:
    """The month a parameter names; Absent (40001) when it names none."""
    try:
        return date.fromisoformat(f"{ask.params[name]}01")
    except (KeyError, ValueError) as error:
        raise Absent(400, "40001", f"요청 파라미터 오류: {name}") from error
