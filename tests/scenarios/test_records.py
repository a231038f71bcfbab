"""Records of calls: metrics, one access log line per call, no customer data."""

import sys

import pytest
from fixtures.failure_modes import SCRIPTS
from fixtures.gateway_environment import ACCOUNT, BANK, CARD, ONE, SHORT_TIMEOUTS
from fixtures.institution import Institution
from fixtures.waiting import read_records, until
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from relay.infra.process.interpreter import SWITCH_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS = [
    *("time", "ended", "tran_id", "operator", "client_id", "org_code", "industry", "api_code", "api_type", "status"),
    *("rsp_code", "error", "reason", "detail", "provider_status", "attempts"),
    *("total_ms", "relay_ms", "upstream_ms", "first_byte_ms", "bytes_in", "bytes_out"),
]


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    return [Institution(BANK, "bank", timeouts=SHORT_TIMEOUTS), Institution(CARD, "card")], {}


async def scrape(env):
    await until(lambda: not env.relay.records.waiting, "all records being written")
    text = (await env.admin("/metrics")).body.decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def get_value(samples, name, **labels):
    return samples.get((name, *sorted(labels.items())), 0.0)


async def read_log(env, tran_ids):
    """Waits for the log lines of these calls and returns them."""

    def read_lines():
        lines = [record for record in read_records(env.log) if record["tran_id"] in tran_ids]
        return lines if len(lines) >= len(tran_ids) else None

    return await until(read_lines, "the log lines")


def get_tran_id(data):
    return data.split(b"x-api-tran-id: ")[1].split(b"\r\n")[0].decode()


async def test_calls_are_counted_by_api_institution_and_answer(env):
    before = await scrape(env)
    for data in (
        env.build_get(),
        env.build_get(),
        env.build_post(),
        env.build_get(query={"limit": "0"}),
        env.build_get("/nowhere"),
    ):
        await env.call(data)
    after = await scrape(env)

    def get_increase(name, **labels):
        return get_value(after, name, **labels) - get_value(before, name, **labels)

    bank = {"org_code": BANK}
    assert get_increase("relay_requests_total", api_code="BA01", status="200", rsp_code="00000", **bank) == 2
    assert get_increase("relay_requests_total", api_code="BA03", status="200", rsp_code="00000", **bank) == 1
    assert get_increase("relay_requests_total", api_code="BA01", status="400", rsp_code="40001", **bank) == 1
    assert get_increase("relay_requests_total", api_code="", status="404", rsp_code="40401", org_code="") == 1
    assert get_increase("relay_faults_total", reason="parameter_malformed", **bank) == 1
    assert get_increase("relay_upstream_attempts_total", **bank) == 3
    for name, count in (("relay_latency", 4), ("relay_upstream_latency", 3), ("relay_total_latency", 4)):
        assert get_increase(f"{name}_seconds_count", **bank) == count
        assert get_increase(f"{name}_seconds_bucket", le="+Inf", **bank) == count
        assert get_increase(f"{name}_seconds_sum", **bank) > 0


@pytest.mark.usefixtures("env")
async def test_threads_of_a_gateway_give_up_the_interpreter_early():
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)


async def test_metrics_show_pools_and_gauges(env):
    async with await env.connect() as connection:
        await connection.call(env.build_get())
        samples = await scrape(env)
    assert get_value(samples, "relay_upstream_pool", org_code=BANK, state="idle") == 1
    assert get_value(samples, "relay_upstream_pool", org_code=BANK, state="flying") == 0
    assert (get_value(samples, "relay_connections"), get_value(samples, "relay_in_flight")) == (1, 0)
    assert get_value(samples, "relay_handshakes") == 0
    assert get_value(samples, "relay_institutions") == 2
    assert any(name[0] == "relay_info" and number == 1 for name, number in samples.items())


async def test_a_log_line_describes_a_call_without_customer_data(env):
    data = env.build_post()
    answer = await env.call(data)
    (line,) = await read_log(env, [get_tran_id(data)])
    assert list(line) == FIELDS
    assert -0.0011 < line["ended"] - line["time"] < 10  # `time` is rounded, `ended` is rounded down
    assert line | {"time": 0} == line | {
        "time": 0,
        "tran_id": get_tran_id(data),
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


async def test_every_call_has_one_log_line(env):
    env.bank.script = SCRIPTS["says_nothing"]
    refused = [
        env.build_get("/nowhere"),
        env.build_get(Authorization=None),
        env.build_get(provider="ZBAA999999"),
        env.build_get(),
    ]
    for data in refused:
        await env.call(data)
    abandoned = env.build_get()
    async with await env.connect() as connection:
        connection.send(abandoned)
        await until(lambda: len(env.bank.received) == 2, "the call")
    lines = await read_log(env, [*map(get_tran_id, refused), get_tran_id(abandoned)])
    assert [line["reason"] for line in lines] == [
        *("endpoint_unknown", "token_missing", "provider_unknown", "provider_silent", "operator_gone"),
    ]
    assert [line["operator"] for line in lines] == [ONE] * 5
    assert [line["attempts"] for line in lines] == [0, 0, 0, 1, 1]


async def test_log_metrics_and_stderr_hold_no_customer_data(env, capfd, caplog):
    token, card = env.tokens.get_valid(ONE, BANK, "bank"), "5555666677778888"
    noise = b"GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token.encode() + b"\r\nx y: 1\r\n\r\n"
    calls = [
        env.build_post(values={"account_num": ACCOUNT}),
        env.build_post(values={"account_num": ACCOUNT + "!"}),
        env.build_get(f"/v1/card/cards/{card}", provider=CARD),
        env.build_get(f"/v1/card/cards/{card}/nothing", provider=CARD),
        env.build_get(query={"limit": ACCOUNT}),
        env.build_get(x_api_type=ACCOUNT),
        noise,
    ]
    answers = [(await env.call(data)).body for data in calls]
    last = env.build_get()
    await env.call(last)
    await read_log(env, [get_tran_id(last)])
    output = env.log.read_text() + (await env.admin("/metrics")).body.decode() + caplog.text
    output += "".join(capfd.readouterr())
    output += b"".join(answer for answer in answers if b'"00000"' not in answer).decode()
    assert ("BA03" in output, "CD02" in output, "malformed request: " in caplog.text) == (True, True, True)
    for secret in (token, token.split(".")[2], ACCOUNT, card, 'account_num":', "relay.test"):
        assert secret not in output


async def test_times_are_finer_than_a_millisecond(env):
    for _ in range(5):
        await env.call()
    times = [exchange.total * 1000 for exchange in env.exchanges]
    assert any(abs(ms - round(ms)) > 0.001 for ms in times), times


async def test_noise_is_recorded_for_its_operator(env):
    async with await env.connect() as connection:
        await connection.call(env.build_get())
        await connection.call(b"noise\r\n\r\n")
    assert [exchange.operator for exchange in env.exchanges] == [ONE, ONE]


async def test_the_admin_port_is_alive_and_ready(env):
    health, readiness = await env.admin("/healthz"), await env.admin("/readyz")
    assert (health.status, health.json()["status"]) == (200, "ok")
    missing = readiness.json()["missing"]
    assert missing in ([], ["authority"])  # none runs here, which counts 10 s after the start
    assert readiness.status == (503 if missing else 200)


async def test_a_bug_becomes_50001_and_the_next_call_is_served(env, monkeypatch, caplog):
    def bug(*_):
        raise RuntimeError("a simulated bug")

    async with await env.connect() as connection:
        with monkeypatch.context() as broken:
            broken.setattr(env.relay.counters.__class__, "take", bug)
            answer = await connection.call(env.build_post())
        assert (answer.status, answer.rsp_code) == (500, "50001")
        assert env.exchanges[-1].reason == "relay_broken"
        assert (await connection.call(env.build_get())).status == 200
    assert "a simulated bug" in caplog.text
    assert ACCOUNT not in caplog.text
    assert env.relay.gateway.in_flight == 0


async def test_a_renamed_log_is_reopened_on_reload(env):
    first, second = env.build_get(), env.build_get()
    await env.call(first)
    await read_log(env, [get_tran_id(first)])
    old = env.log.rename(env.log.with_suffix(".1"))
    await env.process.reload()
    await env.call(second)
    await until(env.log.exists, "the new log")
    await read_log(env, [get_tran_id(second)])
    assert get_tran_id(second) not in old.read_text()
