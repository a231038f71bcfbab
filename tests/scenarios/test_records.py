"""What is remembered of calls: numbers for Prometheus, a line each for the log, and never what is the customer's."""

import json

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from stage.institution import Institution
from stage.misdeeds import SCRIPTS
from stage.town import ACCOUNT, BANK, CARD, ONE
from stage.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS = [
    *("time", "ended", "tran_id", "operator", "client_id", "org_code", "industry", "api_code", "api_type", "status"),
    *("rsp_code", "error", "reason", "detail", "provider_status", "attempts"),
    *("total_ms", "relay_ms", "upstream_ms", "first_byte_ms", "bytes_in", "bytes_out"),
]


def TOWN(_certificates):  # noqa: N802 - a constant of the module, made late
    return [Institution(BANK, "bank"), Institution(CARD, "card")], {}


async def scrape(town):
    await until(lambda: not town.records._closed, "the records being settled")
    text = (await town.admin("/metrics")).body.decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples, name, **labels):
    return samples.get((name, *sorted(labels.items())), 0.0)


async def logged(town, tran_ids):
    """The lines of these calls, once all are written."""

    def lines():
        found = [json.loads(line) for line in town.log.read_text().splitlines()]
        found = [line for line in found if line["tran_id"] in tran_ids]
        return found if len(found) >= len(tran_ids) else None

    return await until(lines, "the lines of the log")


def tran_id_of(data):
    return data.split(b"x-api-tran-id: ")[1].split(b"\r\n")[0].decode()


async def test_calls_are_counted_by_api_institution_and_answer(town):
    before = await scrape(town)
    for data in (town.get(), town.get(), town.post(), town.get(query={"limit": "0"}), town.get("/nowhere")):
        await town.ask(data)
    after = await scrape(town)

    def more(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)

    bank = {"org_code": BANK}
    assert more("relay_requests_total", api_code="BA01", status="200", rsp_code="00000", **bank) == 2
    assert more("relay_requests_total", api_code="BA03", status="200", rsp_code="00000", **bank) == 1
    assert more("relay_requests_total", api_code="BA01", status="400", rsp_code="40001", **bank) == 1
    assert more("relay_requests_total", api_code="", status="404", rsp_code="40401", org_code="") == 1
    assert more("relay_faults_total", reason="parameter_malformed", **bank) == 1
    assert more("relay_upstream_attempts_total", **bank) == 3
    for name, count in (("relay_latency", 4), ("relay_upstream_latency", 3), ("relay_total_latency", 4)):
        assert more(f"{name}_seconds_count", **bank) == count
        assert more(f"{name}_seconds_bucket", le="+Inf", **bank) == count
        assert more(f"{name}_seconds_sum", **bank) > 0


async def test_pools_and_moments_are_shown(town):
    async with await town.line() as line:
        await line.ask(town.get())
        samples = await scrape(town)
    assert value(samples, "relay_upstream_pool", org_code=BANK, state="idle") == 1
    assert value(samples, "relay_upstream_pool", org_code=BANK, state="flying") == 0
    assert (value(samples, "relay_connections"), value(samples, "relay_in_flight")) == (1, 0)
    assert value(samples, "relay_handshakes") == 0
    assert value(samples, "relay_institutions") == 2
    assert any(name[0] == "relay_info" and number == 1 for name, number in samples.items())


async def test_a_line_tells_everything_about_a_call_and_nothing_about_the_customer(town):
    data = town.post()
    answer = await town.ask(data)
    (line,) = await logged(town, [tran_id_of(data)])
    assert list(line) == FIELDS
    assert 0 <= line["ended"] - line["time"] < 10
    assert line | {"time": 0} == line | {
        "time": 0,
        "tran_id": tran_id_of(data),
        "operator": ONE,
        "client_id": f"{ONE}SVC01",
        "org_code": BANK,
        "industry": "bank",
        "api_code": "BA03",
        "api_type": "user-refresh",
        "status": 200,
        "rsp_code": "00000",
        "error": "",
        "reason": "",
        "provider_status": 200,
        "attempts": 1,
        "bytes_in": len(data.split(b"\r\n\r\n", 1)[1]),
        "bytes_out": len(answer.body),
    }
    assert line["total_ms"] >= line["upstream_ms"] >= line["first_byte_ms"] > 0
    assert line["relay_ms"] > 0


async def test_there_is_one_line_for_each_call_also_for_refused_and_abandoned_ones(town):
    town.bank.script = SCRIPTS["says_nothing"]
    refused = [town.get("/nowhere"), town.get(Authorization=None), town.get(provider="ZBAA999999"), town.get()]
    for data in refused:
        await town.ask(data)
    abandoned = town.get()
    async with await town.line() as line:
        line.send(abandoned)
        await until(lambda: len(town.bank.seen) == 2, "the call")
    lines = await logged(town, [*map(tran_id_of, refused), tran_id_of(abandoned)])
    assert [line["reason"] for line in lines] == [
        *("endpoint_unknown", "token_missing", "provider_unknown", "provider_silent", "operator_gone"),
    ]
    assert [line["operator"] for line in lines] == [ONE] * 5
    assert [line["attempts"] for line in lines] == [0, 0, 0, 1, 1]


async def test_neither_log_nor_metrics_nor_stderr_hold_what_is_the_customers(town, capfd, caplog):
    token, card = town.mint.good(ONE, BANK, "bank"), "5555666677778888"
    noise = b"GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token.encode() + b"\r\nx y: 1\r\n\r\n"
    calls = [
        town.post(values={"account_num": ACCOUNT}),
        town.post(values={"account_num": ACCOUNT + "!"}),
        town.get(f"/v1/card/cards/{card}", provider=CARD),
        town.get(f"/v1/card/cards/{card}/nothing", provider=CARD),
        town.get(query={"limit": ACCOUNT}),
        town.get(x_api_type=ACCOUNT),
        noise,
    ]
    answers = [(await town.ask(data)).body for data in calls]
    last = town.get()
    await town.ask(last)
    await logged(town, [tran_id_of(last)])
    told = town.log.read_text() + (await town.admin("/metrics")).body.decode() + caplog.text
    told += "".join(capfd.readouterr())
    told += b"".join(answer for answer in answers if b'"00000"' not in answer).decode()
    assert ("BA03" in told, "CD02" in told, "malformed request: " in caplog.text) == (True, True, True)
    for secret in (token, token.split(".")[2], ACCOUNT, card, 'account_num":', "relay.test"):
        assert secret not in told


async def test_times_are_finer_than_a_millisecond(town):
    for _ in range(5):
        await town.ask()
    times = [exchange.total * 1000 for exchange in town.exchanges]
    assert any(abs(ms - round(ms)) > 0.001 for ms in times), times


async def test_noise_of_who_is_known_is_recorded_as_his(town):
    async with await town.line() as line:
        await line.ask(town.get())
        await line.ask(b"noise\r\n\r\n")
    assert [exchange.operator for exchange in town.exchanges] == [ONE, ONE]


async def test_the_admin_port_is_alive_and_ready(town):
    answers = {path: await town.admin(path) for path in ("/healthz", "/readyz")}
    assert {path: (answer.status, answer.json()["status"]) for path, answer in answers.items()} == {
        "/healthz": (200, "ok"),
        "/readyz": (200, "ok"),
    }


async def test_a_bug_of_ours_becomes_50001_and_the_next_call_is_served(town, monkeypatch, caplog):
    def bug(*_):
        raise RuntimeError("a bug of ours")

    async with await town.line() as line:
        with monkeypatch.context() as broken:
            broken.setattr(town.relay.counters.__class__, "take", bug)
            answer = await line.ask(town.post())
        assert (answer.status, answer.rsp_code) == (500, "50001")
        assert town.exchanges[-1].reason == "relay_broken"
        assert (await line.ask(town.get())).status == 200
    assert "a bug of ours" in caplog.text
    assert ACCOUNT not in caplog.text
    assert town.relay.gateway.in_flight == 0


async def test_a_log_that_was_renamed_goes_on_under_its_name(town):
    first, second = town.get(), town.get()
    await town.ask(first)
    await logged(town, [tran_id_of(first)])
    old = town.log.rename(town.log.with_suffix(".1"))
    await town.process.reload()
    await town.ask(second)
    await until(town.log.exists, "the new log")
    await logged(town, [tran_id_of(second)])
    assert tran_id_of(second) not in old.read_text()
