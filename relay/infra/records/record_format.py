"""Formats access records. `_record_format` is the compiled form of this module: the same bytes for every exchange."""

from collections.abc import Iterable
from typing import Final

from relay.domain.exchange import Exchange

_RECORD: Final = (
    '{"time":%.3f,"ended":%.3f,"tran_id":"%s","operator":"%s","client_id":"%s","org_code":"%s","industry":"%s",'
    '"api_code":"%s","api_type":"%s","status":%d,"rsp_code":"%s","error":"%s","reason":"%s","detail":"%s",'
    '"provider_status":%d,"attempts":%d,"total_ms":%.3f,"relay_ms":%.3f,"upstream_ms":%.3f,"first_byte_ms":%.3f,'
    '"bytes_in":%d,"bytes_out":%d%s}\n'
)
"""PERF: formatting by % takes 2.1 us for a record, an f-string 2.5."""


def format_records(exchanges: Iterable[Exchange]) -> bytes:
    """Returns one line of JSON for each exchange.

    Texts were validated before: nothing needs escaping. A lone surrogate, which UTF-8 cannot encode, becomes its
    escape in JSON.
    """
    return "".join(map(_format, exchanges)).encode(errors="backslashreplace")


def _format(exchange: Exchange) -> str:
    upstream, total = exchange.upstream, exchange.total
    ended = int((exchange.received + total) * 1000)  # rounded down, into the day and slot of its count
    return _RECORD % (
        exchange.received,
        ended / 1000,
        exchange.tran_id,
        exchange.operator,
        exchange.client_id,
        exchange.provider,
        exchange.industry,
        exchange.api_code,
        exchange.api_type,
        exchange.status,
        exchange.rsp_code,
        exchange.error,
        exchange.reason,
        exchange.detail,
        exchange.provider_status,
        exchange.attempts,
        total * 1000,
        (total - upstream) * 1000,
        upstream * 1000,
        (exchange.first_byte - exchange.provider_started) * 1000 if exchange.first_byte else 0.0,
        exchange.bytes_in,
        exchange.bytes_out,
        f',"repeated":{exchange.repeated}' if exchange.repeated > 1 else "",
    )
