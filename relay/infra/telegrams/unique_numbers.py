"""The numbers of telegrams, which match responses with their requests."""


class UniqueNumbers:
    """Counts up within `digits`, from the time in milliseconds: a restarted process does not repeat recent numbers.

    0 digits: telegrams have no number.
    """

    def __init__(self, digits: int, now: float) -> None:
        self._digits = digits
        self._limit: int = 10**digits
        self._last = int(now * 1000) % self._limit

    @property
    def half(self) -> int:
        """Half of all numbers: a line has at most so many requests, so that there is always an unused number."""
        return (self._limit - 1) // 2

    def take(self) -> str:
        """Returns the next number with all digits, "" for 0 digits."""
        if not self._digits:
            return ""
        self._last = self._last % (self._limit - 1) + 1  # 0 is no number
        return f"{self._last:0{self._digits}d}"
