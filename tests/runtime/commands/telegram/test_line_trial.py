import logging

from relay.domain.fault import FAULTS, Refusal
from relay.policy.mediation.conversion import Call
from relay.runtime.commands.telegram.line_trial import LineTrial, collect_notes

CALL = Call("ZBAC000001", {"org_code": "ZBAC000001", "account_num": "110200300400", "seqno": "001"})


class ListedLines:
    """Lines that answer with the next of a list: a response to the request, or a refusal."""

    def __init__(self, *responses):
        self.responses = list(responses)
        self.events = []

    def start(self):
        self.events.append("start")

    async def close(self):
        self.events.append("close")

    async def exchange(self, write, deadline):
        response = self.responses.pop(0)
        if isinstance(response, Exception):
            raise response
        return response(write("000000000001"))


def refuse(name):
    raise Refusal(FAULTS[name], "detail")


async def run_trial(layouts, *responses):
    lines = ListedLines(*responses)
    trial = await LineTrial(lines, layouts.get("BA22"), 5.0).run(CALL, 1)
    assert lines.events == ["start", "close"]
    return trial


async def test_a_line_that_cannot_be_opened_has_no_telegram(layouts):
    trial = await run_trial(layouts, Refusal(FAULTS["connect_refused"], "refused"))
    assert (trial.line_ms, trial.failure.fault.name, trial.pages[0].telegrams) == (None, "connect_refused", [])


async def test_a_request_without_response_is_kept(layouts):
    trial = await run_trial(layouts, lambda _: refuse("provider_silent"))
    telegram = trial.pages[0].telegrams[0]
    assert (telegram.request[:14], telegram.response) == (b"0002110200A022", None)
    assert trial.line_ms is not None


async def test_a_response_that_does_not_fit_is_kept_with_its_error(layouts):
    trial = await run_trial(layouts, lambda request: request)
    assert "BA22 response: offset 6: msg_type" in str(trial.failure)
    assert trial.pages[0].telegrams[0].response == trial.pages[0].telegrams[0].request


def test_log_lines_of_the_block_become_notes():
    notes = []
    logger = logging.getLogger("relay.infra.telegrams.line")
    with collect_notes(notes):
        logger.warning("telegram dropped: %s", "late")
        logging.getLogger("relay.infra.diagnostics.outages").warning("core unavailable: cause=refused")
    assert notes == ["telegram dropped: late"]
    assert logging.getLogger("relay.infra.telegrams").propagate
