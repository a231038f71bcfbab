"""Captured streams: divides them into telegrams and pairs requests with responses."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.layout_draft import CapturedPair, find_kind
from relay.policy.mediation.link import Link
from relay.policy.mediation.telegram.framing import FrameReader, Framing


@dataclass(frozen=True, slots=True)
class CapturedTelegram:
    """One telegram; `is_request` is None where only its header can tell."""

    data: bytes
    is_request: bool | None = None


@dataclass(slots=True)
class Capture:
    """Bytes of several directions, in the order of their telegrams as far as the framing is known."""

    framing: Framing | None
    telegrams: list[CapturedTelegram] = field(default_factory=list)
    error: ConversionError | None = None
    _readers: dict[tuple[int, bool], FrameReader] = field(default_factory=dict)
    streams: dict[tuple[int, bool], bytearray] = field(default_factory=dict)

    def record(self, connection: int, is_client: bool, data: bytes) -> None:
        """Takes bytes of one direction of a connection."""
        key = (connection, is_client)
        if self.framing is None:
            self.streams.setdefault(key, bytearray()).extend(data)
            return
        reader = self._readers.setdefault(key, FrameReader(self.framing))
        try:
            self.telegrams += [CapturedTelegram(each, is_client) for each in reader.feed(data)]
        except ConversionError as error:
            self.error = self.error or error


def pair_by_header(link: Link, telegrams: Iterable[CapturedTelegram]) -> list[CapturedPair]:
    """Returns the first request and response of each transaction code; line management is left out.

    A response belongs to the request with its unique number, without numbers to the one before it. Raises
    ConversionError for a header that cannot be read.
    """
    kinds = link.settings.kinds
    pairs: dict[str, CapturedPair] = {}
    codes: dict[str, str] = {}
    last = ""
    for telegram in telegrams:
        header = link.read_header(telegram.data)
        if header.line is not None:
            continue
        is_request = header.kind == kinds.request if "kind" in link.names else bool(telegram.is_request)
        if is_request:
            last = codes[header.unique_number] = header.code
            known = pairs.get(header.code, CapturedPair(header.code))
            if known.request is None:
                pairs[header.code] = CapturedPair(header.code, telegram.data, known.response, known.response_code)
            continue
        code = codes.get(header.unique_number, last or header.code)
        known = pairs.get(code, CapturedPair(code))
        if known.response is None:
            pairs[code] = CapturedPair(code, known.request, telegram.data, header.code)
    return list(pairs.values())


def pair_by_order(telegrams: list[CapturedTelegram]) -> list[CapturedPair]:
    """Returns the first request and the first response of telegrams whose header is unknown."""
    kind = find_kind([each.data for each in telegrams])
    request = response = None
    for telegram in telegrams:
        is_request = telegram.is_request
        if is_request is None and kind is not None:
            is_request = telegram.data[kind + 2 : kind + 3] == b"0"
        if is_request:
            request = request or telegram.data
        else:
            response = response or telegram.data
    return [CapturedPair("", request, response)]
