"""Half load for minutes on a relay that remembers many tokens, while metrics are scraped, with the longest stall."""

import time
import urllib.request
from dataclasses import asdict
from threading import Event, Thread
from typing import Any, Final

from harness import measure, procfs
from harness.layout import SMALL
from harness.load import Load, generator
from harness.measure import read_lag

from parts.growth import Relay, axes, prepare_axis, seed
from parts.session import Session

SCRAPE_S: Final = 5.0
DIRECT_S: Final = 10.0
CLOSED_S: Final = 2.0


def _paced(session: Session, flags: tuple[str, ...], rate: float, seconds: float) -> Load:
    flags = (*flags, "--rate", f"{rate:.1f}", "--warm", "0.3", "--seconds", f"{seconds:.1f}")
    with generator(session.programs.loadgen, session.harness.core, list(flags)) as load:
        load.go()
        result = load.result()
    session.count_errors(result)
    return result


def scrape(admin: int, stop: Event, times: list[float]) -> None:
    """Reads the metrics every few seconds until `stop`; appends the time of each in ms."""
    while not stop.wait(SCRAPE_S):
        begun = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=30) as answer:
            answer.read()
        times.append((time.monotonic() - begun) * 1000)


def _measure(session: Session, relay: Relay, minutes: float) -> dict[str, Any]:
    timing = ["--warm", "0.3", "--seconds", str(CLOSED_S)]
    closed = measure.timed(session.harness, ("endurance", relay.gateway.name), [*relay.flags, *timing])
    rate = closed.load.rps / 2
    port = str(session.shared.upstreams[SMALL])
    at = relay.flags.index("--port") + 1
    direct = _paced(session, (*relay.flags[:at], port, *relay.flags[at + 1 :]), rate, DIRECT_S)
    stop, times, family = Event(), list[float](), procfs.tree(session.pids[relay.gateway.name])
    scraping = Thread(target=scrape, args=(relay.gateway.ports.admin, stop, times), daemon=True)
    scraping.start()
    begun, counted = time.monotonic(), procfs.spent(family)
    through = _paced(session, relay.flags, rate, minutes * 60)
    waited = procfs.spent(family).since(counted).waited_us / 1e6 / through.seconds
    stop.set()
    scraping.join()
    lag = read_lag(relay.output, begun)
    added = {name: round(getattr(through, name) - getattr(direct, name), 3) for name in ("p50_ms", "p99_ms", "p999_ms")}
    return {
        "rate": round(rate, 1),
        "seconds": round(through.seconds, 1),
        **{f"added_{name}": value for name, value in added.items()},
        "max_ms": round(through.max_ms, 2),
        **asdict(lag),
        "scrapes": len(times),
        "longest_scrape_ms": round(max(times, default=0.0), 1),
        "waited": round(waited, 3),
    }


def measure_endurance(session: Session) -> dict[str, Any]:
    """Measures each form of the relay."""
    figures = {}
    large = list(axes(session.plan.tokens))[-1][-1]
    for form in session.plan.relays():
        relay = prepare_axis(session, form, large, "--probe")
        with session.started([relay.gateway]):
            seeding = seed(session, relay)
            figures[form] = _measure(session, relay, session.plan.minutes) | {"seeding": seeding}
        session.say(
            f"endurance {form:14} {figures[form]['seconds']:.0f} s  p99 added {figures[form]['added_p99_ms']:.2f} ms  "
            f"longest stall {figures[form]['stall_ms']:.1f} ms"
        )
    return {"endurance": figures}
