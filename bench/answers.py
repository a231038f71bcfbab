"""Measures what the check of answers costs: a call that is not chosen, a chosen one, and the check on its thread.

.venv/bin/python bench/answers.py            # a table, in microseconds of CPU
.venv/bin/python bench/answers.py --json     # the same for machines
"""

import argparse
import json
from collections.abc import Callable

from micro import measure

from relay.domain.exchange import Exchange
from relay.gateway.answer_tap import tap_answer
from relay.infra.answers.counts import AnswerCounts
from relay.infra.answers.watch import AnswerWatch
from relay.policy.answers.question import Question, ReceivedAnswer
from relay.policy.call.parties import Parties
from relay.policy.call.plan import Institution, compile_plan
from relay.policy.response.rsp_code import is_plain_success
from relay.policy.settings.directory import Directory, LinkKind, Provider
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import Answers
from relay.standard.catalogue import load_catalogue, load_rsp_codes
from relay.wire.head import RequestHead

BANK, API = "ZBAA000001", "BA04"
SETTINGS = {
    "relay": {"org_code": "ZRLA000001", "name": "relay"},
    "gateway": {"listeners": [{"tls": False, "client_certificate": False}]},
    "tokens": {"issuer": "ZRLA000001", "keys": "keys"},
    "ledger": {"url": "sqlite:ledger.db", "customer_keys": [{"kid": "one", "key": "env:K"}]},
}
TRAN_ID = b"ZOPA000001M00000000000001"
HEAD = RequestHead("POST", b"/v1/x", b"/v1/x", b"", {}, 0, False, False)
BODY = json.dumps(
    {"org_code": BANK, "account_num": "1", "from_date": "20261101", "to_date": "20261130", "limit": "500"}
).encode()
ROW = {
    "trans_dtime": "20261103120000", "trans_no": "1", "trans_type": "03", "trans_class": "이체",
    "currency_code": "KRW", "trans_amt": "1000.000", "balance_amt": "5000.000", "paid_in_cnt": "1",
}  # fmt: skip


def build_page(rows: int) -> bytes:
    """Returns an answer to 은행-004 that breaks no rule."""
    page = {"rsp_code": "00000", "rsp_msg": "성공", "trans_cnt": str(rows), "trans_list": [ROW] * rows}
    return json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()


def build_watch() -> AnswerWatch:
    """Returns a watch whose thread does not run."""
    statuses = {code: row.http for code, row in load_rsp_codes().items()}
    return AnswerWatch(load_catalogue(), statuses, AnswerCounts())


class Receiver:
    """Stands for the receiver of the answer."""


def build_institution(answers: Answers) -> Institution:
    """Returns the bank with this setting."""
    settings = Settings.model_validate(SETTINGS | {"upstream": {"answers": answers}})
    bank = Provider(
        org_code=BANK, name="x", industry="bank", base_urls=("http://127.0.0.1:1",), link=LinkKind.LEASED_LINE
    )
    plan = compile_plan(settings, (bank,), Parties.from_directory(Directory()), load_catalogue(), "x")
    return plan.institutions[BANK]


def tapped(answers: Answers, watch: AnswerWatch) -> Callable[[], object]:
    """Returns what a call does before it is sent to an institution with this setting."""
    institution, exchange, receiver = build_institution(answers), Exchange(1.0, 1.0), Receiver()
    exchange.api_code, exchange.provider_started = API, 1.0
    return lambda: tap_answer(receiver, watch, institution, exchange, HEAD, BODY)


def judged(page: bytes) -> Callable[[], object]:
    """Returns the check of each call, whether its answer is a success."""
    headers = {
        b"x-api-tran-id": TRAN_ID,
        b"content-type": b"application/json; charset=UTF-8",
        b"content-length": b"1",
    }
    return lambda: is_plain_success(200, headers, page, TRAN_ID)


def checked(rows: int) -> Callable[[], object]:
    """Returns the check of an answer with this many rows."""
    watch, question = build_watch(), Question(b"/v1/x", b"", BODY)
    answer = ReceivedAnswer(BANK, API, True, question, 200, {}, build_page(rows))
    return lambda: watch.check(answer)


def measure_all() -> dict[str, float]:
    """Returns every measurement by name, in microseconds."""
    busy = build_watch()
    busy.is_due(BANK, API, 1.0)
    return {
        "not_chosen": measure(tapped(Answers.SAMPLE, busy)),
        "off": measure(tapped(Answers.OFF, busy)),
        "chosen": measure(tapped(Answers.ALL, busy)),
        "check_10_rows": measure(checked(10)),
        "check_100_rows": measure(checked(100)),
        "success_10_rows": measure(judged(build_page(10))),
        "success_100_rows": measure(judged(build_page(100))),
    }


def main() -> None:
    """Prints the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    is_json = parser.parse_args().json
    figures = measure_all()
    if is_json:
        print(json.dumps(figures))
        return
    for name, microseconds in figures.items():
        print(f"{name:<18}{microseconds:8.2f} us")


if __name__ == "__main__":
    main()
