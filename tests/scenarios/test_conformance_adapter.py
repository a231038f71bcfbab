"""The conformance kit against a core that speaks telegrams, through the adapter."""

import pytest
import yaml
from fixtures.adapter_environment import AdapterEnvironment
from fixtures.gateway_environment import BANK
from fixtures.savings_bank import CASES
from fixtures.spoil_steps import FIRST
from fixtures.telegram_core import TelegramCore
from test_conformance import CATALOGUE, EFFORT, NO_TLS, NOW, STATUSES

from relay.infra.conformance.run import run_conformance
from relay.policy.conformance.case import ADAPTED_CASES
from relay.policy.conformance.outcome import State
from relay.policy.conformance.target import Selection, Target

ENVIRONMENT_CLASS = AdapterEnvironment
pytestmark = pytest.mark.asyncio(loop_scope="module")


def ENVIRONMENT(_):  # noqa: N802 - read by conftest
    return [TelegramCore(BANK)], {}


async def test_a_core_is_tested_through_the_adapter(env):
    """The core of the fixture gives one answer to all customers, assets and periods; the kit names that."""
    for code, (_, values, _) in CASES.items():
        env.bank.values[code.replace("BA", "A0")] = values
    socket = yaml.safe_load((env.folder / "relay.yaml").read_text())["adapter"]["socket"]
    left_out = frozenset(f"IR0{number}" for number in range(1, 5))
    target = Target(f"http://adapter/{BANK}", "bank", BANK, (FIRST,), "ZZRELAY001", left_out=left_out, adapter=socket)
    report = await run_conformance(target, NO_TLS, CATALOGUE, STATUSES, effort=EFFORT, selection=Selection(), now=NOW)
    assert report.problem == ""
    assert set(report.broken_rules) == {"unknown_customer", "unknown_asset", "period"}
    tried = {outcome.case for outcome in report.outcomes if outcome.state in {State.PASSED, State.BROKEN}}
    assert tried <= ADAPTED_CASES
    assert "basic" in tried
