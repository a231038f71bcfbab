"""Settings taken anew while calls go on: who may call, whom we speak for, which certificates count."""

import asyncio
import ssl

import pytest
from stage.caller import Line, client_context
from stage.institution import Institution, answers_well
from stage.town import BANK, CARD, PATIENT, directory_of, provider_file, settings_of
from stage.waiting import until

from relay.infra.tokens.key_folder import read_keys, write_key_set

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = "ZBAA000007"


def TOWN(_certificates):  # noqa: N802 - a constant of the module, made late
    return [Institution(BANK, "bank", timeouts=PATIENT), Institution(CARD, "card")], {}


@pytest.fixture(autouse=True)
async def as_before(town):
    yield
    town.institutions.pop(NEW, None)
    town.write()
    await town.process.reload()


async def test_an_operator_taken_off_the_directory_is_refused_on_the_line_it_has(town):
    directory = directory_of(town.certificates)
    async with await town.line() as line:
        assert (await line.ask(town.get())).status == 200
        town.put("directory.yaml", {"operators": directory["operators"][1:]})
        await town.process.reload()
        answer = await line.ask(town.get())
        assert (answer.status, answer.rsp_code) == (401, "40103")
        town.put("directory.yaml", directory)
        await town.process.reload()
        assert (await line.ask(town.get())).status == 200


async def test_an_address_taken_off_the_directory_is_refused_on_the_line_it_has(town):
    directory = directory_of(town.certificates)
    async with await town.line() as line:
        assert (await line.ask(town.get())).status == 200
        directory["operators"][0]["addresses"] = ["192.0.2.1"]
        town.put("directory.yaml", directory)
        await town.process.reload()
        assert (await line.ask(town.get())).rsp_code == "40102"


async def test_an_institution_that_is_added_is_served_and_one_taken_away_is_not(town):
    town.institutions[NEW] = new = Institution(NEW, "bank")
    await new.open()
    try:
        async with await town.line() as line:
            assert (await line.ask(town.get(provider=NEW))).rsp_code == "40303"
            town.put(f"providers/{NEW}.yaml", provider_file(new))
            await town.process.reload()
            assert (await line.ask(town.get(provider=NEW))).status == 200
            (town.folder / f"providers/{NEW}.yaml").unlink()
            await town.process.reload()
            assert (await line.ask(town.get(provider=NEW))).rsp_code == "40303"
    finally:
        await new.shut()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (f"providers/{BANK}.yaml", {"org_code": "short"}),
        (f"providers/{BANK}.yaml", {"org_code": BANK, "name": "x", "industry": "bank", "base_urls": ["https://x"]}),
        ("directory.yaml", {"operators": "none"}),
        ("relay.yaml", {}),
    ],
)
async def test_settings_that_cannot_be_used_leave_the_last_good_ones(town, name, values):
    failures, plan = town.relay.reload_failures, town.relay.gateway.plan
    town.put(name, values)
    await town.process.reload()
    assert town.relay.gateway.plan is plan
    assert (await town.ask()).status == 200
    text = (await town.admin("/metrics")).body.decode()
    assert f"relay_plan_reload_failures {failures + 1}.0" in text


@pytest.mark.parametrize("section", ["certificate", "private_key", "client_ca"])
async def test_a_certificate_that_cannot_be_read_leaves_the_last_good_ones(town, section):
    plan, settings = town.relay.gateway.plan, settings_of(town.certificates)
    settings["gateway"]["tls"][section] = "file:nowhere.pem" if section == "private_key" else "nowhere.pem"
    town.put("relay.yaml", settings)
    await town.process.reload()
    assert town.relay.gateway.plan is plan
    assert (await town.ask()).status == 200


async def test_a_call_in_flight_ends_as_it_began(town):
    release = asyncio.Event()

    async def waits(asked, wire):
        await release.wait()
        await answers_well(asked, wire)

    town.bank.script = waits
    async with await town.line() as line:
        line.send(town.get())
        await until(lambda: town.bank.seen, "the call")
        (town.folder / f"providers/{BANK}.yaml").unlink()
        await town.process.reload()
        release.set()
        assert (await line.answer()).status == 200
        assert (await line.ask(town.get())).rsp_code == "40303"
    await until(lambda: not town.bank.wires, "the old pool hanging up")


async def test_a_call_in_the_queue_is_served_though_the_pool_is_replaced(town):
    release = asyncio.Event()

    async def waits(asked, wire):
        await release.wait()
        await answers_well(asked, wire)

    town.bank.script = waits
    town.put(f"providers/{BANK}.yaml", provider_file(town.bank) | {"concurrency": 1})
    await town.process.reload()
    lines = [await town.line() for _ in range(2)]
    for number, line in enumerate(lines, 1):
        line.send(town.get())
        await until(lambda wanted=number: sum(town.pool().counts().values()) == wanted, "a call")
    await town.process.reload()
    release.set()
    assert [(await line.answer()).status for line in lines] == [200, 200]
    for line in lines:
        line.hang_up()


async def leaf(town):
    """The certificate the relay shows to who comes now."""
    context = client_context(town.certificates.ca, town.pair_of("ZOPA000001"))
    async with await Line.open(town.process.ports[0], context) as line:
        return line.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)


async def test_new_handshakes_see_the_new_certificate_and_lines_go_on(town):
    fresh = town.certificates.authority.issue("relay anew", serial_number="999-81-00001", stem="relay-2")
    settings = settings_of(town.certificates)
    settings["gateway"]["tls"] |= {
        "certificate": str(fresh.certificate),
        "private_key": f"file:{fresh.private_key}",
    }
    async with await town.line() as line:
        before = await leaf(town)
        town.put("relay.yaml", settings)
        await town.process.reload()
        after = await leaf(town)
        assert (await line.ask(town.get())).status == 200
    assert before != after == ssl.PEM_cert_to_DER_cert(fresh.certificate.read_text())


async def test_a_withdrawn_ca_is_refused_and_the_new_one_let_in(town):
    settings = settings_of(town.certificates)
    settings["gateway"]["tls"]["client_ca"] = str(town.certificates.foreign_ca)
    town.put("relay.yaml", settings)
    await town.process.reload()
    assert (await town.ask(pair=town.certificates.foreign_operator)).status == 200
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await town.ask()
    assert len(town.exchanges) == 1


async def test_a_withdrawn_token_key_is_refused_though_its_token_was_remembered(town, tmp_path):
    async with await town.line() as line:
        assert (await line.ask(town.get())).status == 200
        keys = read_keys(town.certificates.folder / "token-keys")
        write_key_set(tmp_path, [key for key in keys if key.algorithm != "ES256"])
        town.put("relay.yaml", settings_of(town.certificates, tokens={"keys": str(tmp_path)}))
        await town.process.reload()
        assert (await line.ask(town.get())).rsp_code == "40101"


async def test_a_lowered_rate_counts_at_once(town):
    assert (await town.ask()).status == 200
    town.put(f"providers/{BANK}.yaml", provider_file(town.bank) | {"rate": {"per_second": 0.01, "burst": 1}})
    await town.process.reload()
    assert [(await town.ask()).status for _ in range(2)] == [200, 429]


async def test_files_that_change_are_noticed(town):
    (town.folder / "providers" / f"{CARD}.yaml").unlink()
    following = town.process._file_watch
    assert following.fingerprint() != following._known
    await town.process.reload()
    assert following.fingerprint() == following._known


async def test_a_log_that_cannot_be_opened_anew_stops_no_reload(town, tmp_path):
    log = town.relay.access_log
    try:
        log._path = str(tmp_path / "nowhere" / "access.log")
        reloads = town.relay.reloads
        await town.process.reload()
        assert town.relay.reloads == reloads + 1
        assert (await town.ask(town.get("/v1/card/cards", provider=CARD))).status == 200
    finally:
        log._path = str(town.log)
