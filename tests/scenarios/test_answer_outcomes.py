"""Answers that are no success: operator, access record, ledger and metrics have the same result of each call."""

import asyncio
import gzip
import json
import re
from collections import Counter

import pytest
from fixtures.gateway_environment import LONG_TIMEOUTS
from fixtures.institution import TRAN_ID, Institution, build_response
from fixtures.waiting import read_records, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

WATCHED = {"ZBAA000001": ("off", "strict"), "ZBAA000002": ("sample", "lenient"), "ZBAA000003": ("all", "off")}
"""Institutions with their settings `answers` and `checking`: no setting changes how an answer counts."""


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    institutions = [
        Institution(org_code, "bank", timeouts=LONG_TIMEOUTS, answers=answers, checking=checking)
        for org_code, (answers, checking) in WATCHED.items()
    ]
    return institutions, {}


def build_page(rows, memo="이체", **more):
    row = {"trans_dtime": "20261103", "trans_class": memo, "trans_amt": "1000.000"}
    page = {"rsp_code": "00000", "rsp_msg": "성공", "trans_cnt": str(rows), "trans_list": [row] * rows} | more
    return json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()


def build_chunks(body, size, *lines):
    """Returns an answer in chunks of `size` bytes."""
    head = [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        f"x-api-tran-id: {TRAN_ID}",
        "Transfer-Encoding: chunked",
        *lines,
    ]
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return "\r\n".join([*head, "", ""]).encode() + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


SMALL, LARGE = build_page(3), build_page(2000)
GZIP = "Content-Encoding: gzip"
UNKNOWN = "77777"
END = b"0\r\n\r\n"
ANSWERS = {
    "small": (build_response(SMALL), "200_00000"),
    "large": (build_response(LARGE), "200_00000"),
    "one-byte chunks": (build_chunks(SMALL, 1) + END, "200_00000"),
    "large chunks": (build_chunks(LARGE, 5000) + END, "200_00000"),
    "trailers": (build_chunks(SMALL, 100) + b"0\r\na: b\r\n\r\n", "500_50005"),
    "code after a bracket": (build_response(b'{"rsp_msg":"[{","rsp_code":"00000"}'), "200_00000"),
    "inner code after a brace": (build_response(b'{"rsp_msg":"}","a":{"rsp_code":"00000"}}'), "200_none"),
    "code as a number": (build_response(b'{"rsp_code":00000}'), "200_none"),
    "no code": (build_response(b'{"result":"OK"}'), "200_none"),
    "no code, large": (build_response(LARGE.replace(b"rsp_code", b"code")), "200_none"),
    "code in the middle, large": (
        build_response(b'{"a":"' + b"x" * 99_000 + b'","rsp_code":"00000","b":"' + b"x" * 99_000 + b'"}'),
        "200_none",
    ),
    "without its last brace": (build_response(SMALL[:-1]), "500_50005"),
    "without its last brace, large": (build_response(LARGE[:-1]), "200_50005"),
    "cut after a row, large": (build_response(LARGE[: LARGE.rindex(b",{")]), "200_50005"),
    "cut after a row with a bracket": (build_response(build_page(2, memo="a]")[:-2]), "500_50005"),
    "EUC-KR": (build_response(SMALL.decode().encode("euc-kr")), "200_none"),
    "EUC-KR, large": (build_response(LARGE.decode().encode("euc-kr")), "200_none"),
    "UTF-16": (build_response(SMALL.decode().encode("utf-16")), "500_50005"),
    "NUL bytes at the end": (build_response(SMALL + b"\0"), "500_50005"),
    "empty": (build_response(b""), "500_50005"),
    "gzip": (build_response(gzip.compress(SMALL, mtime=0), GZIP), "200_00000"),
    "gzip, cut": (build_response(gzip.compress(SMALL, mtime=0)[:-6], GZIP), "500_50005"),
    "two gzips": (build_response(gzip.compress(SMALL, mtime=0) * 2, GZIP), "500_50005"),
    "gzip of 3 MB": (build_response(gzip.compress(SMALL[:-1] + b" " * 3_000_000, mtime=0), GZIP), "500_50005"),
    "raw deflate": (build_response(gzip.compress(SMALL, mtime=0)[10:-8], "Content-Encoding: deflate"), "500_50005"),
    "unknown code": (build_response(b'{"rsp_code":"%b","rsp_msg":"a"}' % UNKNOWN.encode()), "200_other"),
}


def answer_with(data):
    async def script(_call, wire):
        await wire.send(data)

    return script


async def call(env, org_code, answer):
    """Returns 거래고유번호 of a call and the status that its operator got, "cut" for a cut answer."""
    env.institutions[org_code].script = answer_with(answer)
    data = env.build_get(provider=org_code)
    try:
        status = str((await env.call(data)).status)
    except asyncio.IncompleteReadError:
        status = "cut"
    return data.split(b"x-api-tran-id: ")[1].split(b"\r\n")[0].decode(), status


def count_records(records, names):
    """Returns how many records there are by name of the answer, status and rsp_code."""
    return Counter((names[record["tran_id"]], record["status"], record["rsp_code"]) for record in records)


async def read_ledger(env):
    """Returns the number of calls by institution and outcome."""
    await until(lambda: env.relay.counter.waiting == 0, "the ledger having all calls")
    rows = dict(env.ledger_writer.run(env.ledger_writer.ledger.statistics.counts("0", "9")))
    counts = Counter()
    for key, count in rows.items():
        counts[key.provider, key.outcome] += count
    return counts


async def read_metrics(env):
    """Returns the number of calls by institution, status and rsp_code."""
    text = (await env.admin("/metrics")).body.decode()
    counts = Counter()
    for labels, value in re.findall(r"^relay_requests_total\{(.*)\} (.*)$", text, re.MULTILINE):
        fields = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        counts[fields["org_code"], fields["status"], fields["rsp_code"]] += int(float(value))
    return counts


def to_record(outcome):
    """Returns status and rsp_code of the record for an outcome in the ledger."""
    status, code = outcome.split("_")
    return int(status), {"none": "", "other": UNKNOWN}.get(code, code)


async def test_operator_record_ledger_and_metrics_agree(env):
    names, seen = {}, {}
    for name, (answer, _) in ANSWERS.items():
        for tran_id, status in await asyncio.gather(*(call(env, org_code, answer) for org_code in WATCHED)):
            names[tran_id] = name
            seen.setdefault(name, set()).add(status)
    outcomes = {name: outcome for name, (_, outcome) in ANSWERS.items()}
    assert seen == {name: {"cut" if text == "200_50005" else text[:3]} for name, text in outcomes.items()}

    def read_all():
        records = [record for record in read_records(env.log) if record["tran_id"] in names]
        return records if len(records) == len(names) else None

    records = await until(read_all, "the records of all calls")
    assert count_records(records, names) == {(name, *to_record(text)): len(WATCHED) for name, text in outcomes.items()}
    assert all(bool(record["reason"]) == (record["rsp_code"] != "00000") for record in records)
    of_each = Counter(outcomes.values())
    assert await read_ledger(env) == {(org, outcome): of_each[outcome] for org in WATCHED for outcome in of_each}
    by_code = Counter()
    for status, code in map(to_record, outcomes.values()):
        by_code[str(status), "" if code == UNKNOWN else code] += 1
    assert await read_metrics(env) == {(org, *result): by_code[result] for org in WATCHED for result in by_code}
