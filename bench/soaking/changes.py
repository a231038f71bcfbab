"""Changes settings of a running relay and reloads it: a rate, an institution's timeouts, two certificates."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any, Final

import yaml
from hostile.environment import Running, write_yaml
from hostile.world import HOSTILE_BANK
from mydata_sandbox.parties import RELAY_NAME

EVERY_S: Final = 5.0
_RATE: Final = 100_000
APPLIED: Final = "settings applied: role=gateway"
REJECTED: Final = "settings rejected"


class Changes:
    """Each `apply` changes four things and reloads the relay; `count` is their number."""

    def __init__(self, relay: Running, urls: list[str]) -> None:
        self._relay = relay
        self._urls = urls
        self._ca = relay.environment.folder / "changing-ca.pem"
        self.count = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Applies a change each five seconds until `stop` is set."""
        while not stop.is_set():
            self.apply()
            await asyncio.sleep(EVERY_S)

    def apply(self) -> None:
        """Changes a rate, the weekly quota, the bank's timeouts and its CA, and the relay's certificate; reloads."""
        self.count += 1
        environment, number = self._relay.environment, self.count
        settings: dict[str, Any] = yaml.safe_load(environment.settings.read_text())
        rate = {"per_second": _RATE + number, "burst": _RATE}
        settings["rates"] |= {"operator_provider": rate, "weekly": number % 2 == 0}
        write_yaml(environment.settings, settings)
        authority = environment.certificates.authority
        authority.issue(RELAY_NAME, stem="relay", serial_number=environment.certificates.relay.serial_number)
        self._ca.write_bytes(environment.certificates.ca.read_bytes() + b"# %d\n" % number)
        self._write_bank(environment.folder / "providers" / f"{HOSTILE_BANK}.yaml", number)
        os.kill(self._relay.gateway, signal.SIGHUP)

    def _write_bank(self, path: Path, number: int) -> None:
        timeouts = {"connect_s": 1, "first_byte_s": 1 + number % 3 / 10, "total_s": 5, "idle_s": 4}
        bank = {"org_code": HOSTILE_BANK, "name": "Changing bank", "industry": "bank", "link": "tls"}
        write_yaml(path, bank | {"base_urls": self._urls, "ca": str(self._ca), "timeouts": timeouts})
