"""트랜잭션 ID of integrated authentication: the parties, the time and a serial number (규격 통합인증-002)."""

import re
from dataclasses import dataclass
from typing import Final

from relay.domain.korea import format_timestamp, parse_timestamp

_PARTS: Final = re.compile("MD" + "_([0-9A-Za-z]{10})" * 4 + "_([0-9]{14})_([0-9A-Za-z]{12})")


@dataclass(frozen=True, slots=True)
class TxId:
    """`MD_operator_provider_relay_certifier_YYYYMMDDHHMMSS_serial`, aNS(74). `made_at` in epoch seconds."""

    operator: str
    provider: str
    relay: str
    certifier: str
    made_at: int
    serial: str

    def __str__(self) -> str:
        moment = format_timestamp(self.made_at)
        return f"MD_{self.operator}_{self.provider}_{self.relay}_{self.certifier}_{moment}_{self.serial}"


def parse_tx_id(text: str) -> TxId:
    """Parses a tx_id. Raises ValueError for another form or an impossible time."""
    match = _PARTS.fullmatch(text)
    if match is None:
        raise ValueError("not a tx_id")
    operator, provider, relay, certifier, moment, serial = match.groups()
    return TxId(operator, provider, relay, certifier, parse_timestamp(moment), serial)
