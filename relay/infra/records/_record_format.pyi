from collections.abc import Iterable

from relay.domain.exchange import Exchange

def format_records(exchanges: Iterable[Exchange]) -> bytes: ...
