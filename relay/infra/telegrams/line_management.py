"""Line management (회선 관리) of one line: start, test and end, and the answers to those of the core."""

import asyncio
import time
from collections.abc import Callable

from relay.domain.fault import FAULTS, Refusal
from relay.infra.telegrams.line_log import LineLog
from relay.policy.mediation.conversion import Call, build_context
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.link import Header, LineAction, Link


class LineManagement:
    """Sends telegrams of line management and takes their answers. `actions` are those that the core knows.

    `write` sends bytes, `take_number` returns an unused unique number.
    """

    def __init__(
        self,
        org_code: str,
        link: Link,
        log: LineLog,
        write: Callable[[bytes], None],
        take_number: Callable[[], str],
    ) -> None:
        self._org_code = org_code
        self._link = link
        self._log = log
        self._write = write
        self._take_number = take_number
        self._answered: asyncio.Future[Header] | None = None
        management = link.settings.management
        self.actions: frozenset[LineAction] = frozenset(management.codes if management is not None else ())

    async def request(self, action: LineAction, answer_s: float) -> None:
        """Sends a telegram and waits for its answer. Raises Refusal: no answer, or not that of a success."""
        loop = asyncio.get_running_loop()
        try:
            self._answered = loop.create_future()
            self.send(action)
            async with asyncio.timeout(answer_s):
                while (header := await self._answered).line != action:
                    self._answered = loop.create_future()
        except TimeoutError:
            raise Refusal(FAULTS["provider_silent"], f"line_{action}") from None
        except ConversionError as error:
            self._log.record("line management not written", f"{error}; correct management in link.yaml")
            raise Refusal(FAULTS["conversion_failed"], str(error)) from None
        finally:
            self._answered = None
        if not self._link.is_line_success(header):
            self._log.record(f"line {action} refused by the core", f"response code {header.response_code}")
            raise Refusal(FAULTS["connect_failed"], f"line_{action}_refused: {header.response_code}")

    def send(self, action: LineAction) -> None:
        """Sends a telegram of line management. Raises ConversionError."""
        self._write(self._link.encode_line_request(action, self._build_context(self._take_number())))

    def answer(self, header: Header) -> bool:
        """Answers a telegram of the core. Returns False if the answer cannot be written, which is logged."""
        try:
            telegram = self._link.answer_line_request(header, self._build_context(header.unique_number))
        except ConversionError as error:
            self._log.record("line management not written", f"{error}; correct management in link.yaml")
            return False
        self._write(telegram)
        return True

    def receive_answer(self, header: Header) -> None:
        """Takes the answer to a telegram of ours."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(header)

    def fail(self, refusal: Refusal) -> None:
        """Ends a wait for an answer: the line is closed."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(refusal)

    def _build_context(self, number: str) -> dict[str, str]:
        return build_context(Call(self._org_code, {}), number, time.time())
