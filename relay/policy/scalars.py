"""The scalars of the settings: codes, addresses, secrets by reference. Each says what is allowed when it refuses."""

import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from relay.domain.ids import normal_serial

Industry = Literal["bank", "card", "invest", "insu", "efin", "capital", "ginsu", "telecom", "p2p", "bond", "usury"]
OrgCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{10}$")]
ClientId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,50}$")]
ApiCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[0-9]{2}$")]
Version = Annotated[str, StringConstraints(pattern=r"^v[1-9][0-9]{0,2}$")]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Port = Annotated[int, Field(ge=0, le=65535)]
Path = Annotated[str, StringConstraints(min_length=1)]
SLOT_CLOCK = re.compile(r"([01]\d|2[0-3])[0-5]\d|2400")


def _secret(value: str) -> str:
    scheme, _, rest = value.partition(":")
    if scheme not in {"file", "env"} or not rest:
        raise ValueError("a secret is written as a reference: file:PATH or env:NAME")
    return value


def _network(value: str) -> str:
    ipaddress.ip_network(value, strict=False)
    return value


def _slot(value: str) -> str:
    start, _, end = value.partition(":")
    if not (SLOT_CLOCK.fullmatch(start) and SLOT_CLOCK.fullmatch(end)):
        raise ValueError("a slot is written hhmm:hhmm, for example 0100:0700")
    return value


def _base_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment or url.username:
        raise ValueError("a base URL is written https://host[:port][/path] (http:// on a leased line)")
    if re.fullmatch(r"[\d.]+|0x[\da-fA-F]+", url.hostname):
        ipaddress.IPv4Address(url.hostname)  # no 127.1, no 2130706433
    return value.rstrip("/")


def _serial(value: str) -> str:
    if not normal_serial(value):
        raise ValueError("serial_num holds letters or digits")
    return value


Secret = Annotated[str, AfterValidator(_secret)]
Network = Annotated[str, AfterValidator(_network)]
Slot = Annotated[str, AfterValidator(_slot)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
SerialNum = Annotated[str, AfterValidator(_serial), StringConstraints(max_length=20)]


class Model(BaseModel):
    """A section of the settings: nothing unknown in it, nothing changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Checking(StrEnum):
    """How strictly requests are held against the catalogue before a provider sees them."""

    STRICT = "strict"
    LENIENT = "lenient"
    OFF = "off"


class Rate(Model):
    """So many requests each second, and so many at once."""

    per_second: Annotated[float, Field(gt=0, le=1_000_000)]
    burst: Annotated[int, Field(ge=1, le=1_000_000)]


class ProviderTimeouts(Model):
    """How long a provider may take: to accept a connection, to begin an answer, to end it, to keep a line idle."""

    connect_s: Seconds = 2.0
    first_byte_s: Seconds = 12.0
    total_s: Seconds = 15.0
    idle_s: Seconds = 4.0
