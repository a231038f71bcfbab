"""One institution that fails in some way beside a healthy one."""

from pathlib import Path

from chaos.counts import compare_counts
from chaos.environment import BANK, OTHER, open_gateway
from chaos.phases import require_codes, require_healthy, run_phases
from chaos.row import Row

UNAVAILABLE = f"institution unavailable: org_code={BANK}"
AVAILABLE = f"institution available again: org_code={BANK}"


async def institution_refusing(row: Row, folder: Path) -> None:
    """The bank does not listen for some seconds."""
    async with open_gateway(folder) as env:

        async def enter() -> None:
            await env.bank.stop()

        async def leave() -> None:
            await env.bank.open()

        async with env.load(BANK), env.load(OTHER):
            await run_phases(env, enter, leave)
        require_codes(row, env, {"500 50005", "500 50003"})
        require_healthy(row, env)
        await require_alarm(row, env)
        await compare_counts(row, env)


async def require_alarm(row: Row, env) -> None:
    """Requires one log line at the begin and one at the end, and the metric of faults."""
    row.require("one line `institution unavailable`", env.gateway.count_lines(UNAVAILABLE) == 1)
    row.require("one line `institution available again`", env.gateway.count_lines(AVAILABLE) == 1)
    metrics = await env.gateway.read_metrics()
    faults = sum(value for name, value in metrics.items() if name.startswith("relay_faults_total") and BANK in name)
    row.require("relay_faults counts the failures", faults > 0)
    row.figures["faults"] = int(faults)
