"""Checks answers of institutions on a thread of its own, with little of the processor."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Final

from relay.domain.api import Catalogue
from relay.domain.korea import day_in_korea
from relay.infra.answers.counts import AnswerCounts
from relay.infra.answers.summary import DailySummary
from relay.policy.answers.answer_rules import AnswerRules
from relay.policy.answers.content import MAX_BYTES, TooLarge
from relay.policy.answers.question import ReceivedAnswer, read_parameters

_log = logging.getLogger(__name__)

PER_SECOND: Final = 20
"""Sampled answers a second, of all institutions together."""

EACH_S: Final = 10.0
"""Seconds between two sampled answers of one institution and API."""

MAX_WAITING: Final = 64
MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
"""Answers that may wait to be checked, and their bytes."""

SAMPLE_SHARE: Final = 0.02
"""Part of one core that sampled answers may take. PERF: 0.5 ms for a page of 100 rows."""
ALL_SHARE: Final = 0.25
"""Part of one core for institutions whose answers are all checked."""

_MAX_PAUSE_S: Final = 60.0
_TURN_S: Final = 60.0
_STOP_S: Final = 2.0

QUEUE_FULL: Final = "queue"
TOO_LARGE: Final = "size"
FAILED: Final = "failed"


class AnswerWatch:
    """Chooses answers, checks them on a thread and drops them. `counts` has the result.

    Calls pay for `is_due` alone, and a chosen one for `add`. Answers that come while `MAX_WAITING` wait are not
    checked. After each check the thread pauses, so that it takes at most its share of a core.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        statuses: Mapping[str, int],
        counts: AnswerCounts,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._apis = {api.api_code: api for api in catalogue.iter_data_apis()}
        self._statuses = statuses
        self._rules: dict[str, AnswerRules] = {}
        self.counts = counts
        self._clock = clock
        self._summary = DailySummary()
        self._next_at = 0.0
        self._due: dict[tuple[str, str], float] = {}
        self._queue: SimpleQueue[ReceivedAnswer | None] = SimpleQueue()
        self._added_bytes = self._taken_bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread. Answers that wait are dropped."""
        self._stopping.set()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def is_due(self, org_code: str, api_code: str, now: float) -> bool:
        """Returns whether the answer to a call at monotonic `now` is sampled. PERF: 0.1 us."""
        if now < self._next_at:
            return False
        key = org_code, api_code
        if now < self._due.get(key, 0.0):
            return False
        self._next_at = now + 1 / PER_SECOND
        self._due[key] = now + EACH_S
        return True

    def add(self, answer: ReceivedAnswer) -> None:
        """Queues an answer unless it is too large or too many wait. Never waits."""
        size = len(answer.body)
        if size > MAX_BYTES:
            self.counts.skipped[TOO_LARGE] += 1
        elif self._queue.qsize() >= MAX_WAITING or self._added_bytes - self._taken_bytes + size > MAX_WAITING_BYTES:
            self.counts.skipped[QUEUE_FULL] += 1
        else:
            self._added_bytes += size
            self._queue.put(answer)

    def check(self, answer: ReceivedAnswer) -> None:
        """Checks an answer and counts the result."""
        org_code, api_code = answer.org_code, answer.api_code
        api, rules = self._apis[api_code], self._rules.get(api_code)
        if rules is None:
            rules = self._rules[api_code] = AnswerRules(api, self._statuses)
        parameters = read_parameters(api, answer.question)
        try:
            verdict = rules.check(answer.status, answer.headers, answer.body, parameters)
        except TooLarge:
            self.counts.skipped[TOO_LARGE] += 1
            return
        self.counts.record(org_code, api_code, verdict)
        self._summary.record(org_code, api_code, verdict, day_in_korea(self._clock()))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._check_next())
        self._summary.end()

    def _check_next(self) -> float:
        """Checks the next answer, once there is one, and drops it. Returns the seconds to pause for its share."""
        try:
            answer = self._queue.get(timeout=_TURN_S)
        except Empty:
            self._summary.turn(day_in_korea(self._clock()))
            return 0.0
        if answer is None:  # the thread must end
            return 0.0
        self._taken_bytes += len(answer.body)
        started = time.thread_time()
        try:
            self.check(answer)
        except Exception as error:  # later answers depend on this thread; the text of the error may hold a value
            self.counts.skipped[FAILED] += 1
            _log.error("check of an answer failed: org_code=%s api_code=%s error=%s",
                       answer.org_code, answer.api_code, type(error).__name__)  # fmt: skip
        return compute_pause(time.thread_time() - started, is_sampled=answer.is_sampled)


def compute_pause(busy_s: float, *, is_sampled: bool) -> float:
    """Returns the seconds that the thread pauses after a check of `busy_s` seconds of processor time."""
    share = SAMPLE_SHARE if is_sampled else ALL_SHARE
    return min(busy_s * (1 / share - 1), _MAX_PAUSE_S)
