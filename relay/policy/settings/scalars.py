"""The scalars of the settings: codes, addresses, secrets by reference. Each says in words what is allowed.

The words are the JSON Schema's `description`: editors show them, and `relay check` prints them beside a value that does
not fit. A validation context `{"folder": PATH}` makes file references absolute, relative to that folder; without a
context they stay as written.
"""

import ipaddress
import re
from enum import StrEnum
from pathlib import PurePath
from posixpath import normpath
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from relay.domain.ids import normal_serial

STDOUT = "stdout"
BASE_URL = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?"
)
SERIAL = re.compile(r"[0-9A-Za-z -]+")
SLOT_CLOCK = re.compile(r"([01]\d|2[0-3])[0-5]\d|2400")


def refuse(key: str, wrong: str, allowed: str) -> PydanticCustomError:
    """The refusal of a validator: `key` below the model (dotted, "" for the model), what is wrong, what is allowed."""
    return PydanticCustomError("refused", "{key}: {wrong}, {allowed}", {"key": key, "wrong": wrong, "allowed": allowed})


def at_folder(value: str, info: ValidationInfo) -> str:
    """`value` as a path below the validation context's folder."""
    folder = (info.context or {}).get("folder")
    return value if folder is None else normpath(PurePath(folder, value))


def _log(value: str, info: ValidationInfo) -> str:
    return value if value == STDOUT else at_folder(value, info)


def _secret(value: str, info: ValidationInfo) -> str:
    scheme, _, rest = value.partition(":")
    if scheme not in {"file", "env"} or not rest:
        raise ValueError("a secret is written as a reference: file:PATH or env:NAME")
    return value if scheme == "env" else f"file:{at_folder(rest, info)}"


def _network(value: str) -> str:
    try:
        first = ipaddress.ip_network(value, strict=False).network_address
    except ValueError:
        first = None
    if first is None or getattr(first, "ipv4_mapped", None) or getattr(first, "scope_id", None):
        raise ValueError("an address or a network is written 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")
    return value


def _slot(value: str) -> str:
    start, _, end = value.partition(":")
    if not (SLOT_CLOCK.fullmatch(start) and SLOT_CLOCK.fullmatch(end)):
        raise ValueError("a slot is written hhmm:hhmm, for example 0100:0700")
    return value


def _base_url(value: str) -> str:
    url = urlsplit(value)
    if BASE_URL.fullmatch(value) is None or not url.hostname:
        raise ValueError("a base URL is written https://host[:port][/path] (http:// on a leased line)")
    port = url.netloc.rpartition(":")[2]
    if port.isdigit() and not 1 <= int(port) <= 65535:  # noqa: PLR2004 - 16 bits
        raise ValueError("a base URL's port is 1 to 65535")
    if re.fullmatch(r"[\d.]+|0x[\da-fA-F]+", url.hostname):
        ipaddress.IPv4Address(url.hostname)  # no 127.1, no 2130706433
    return value.rstrip("/")


def _serial(value: str) -> str:
    if not SERIAL.fullmatch(value) or not normal_serial(value):
        raise ValueError("serial_num holds letters, digits, hyphens and blanks")
    return value


Industry = Literal["bank", "card", "invest", "insu", "efin", "capital", "ginsu", "telecom", "p2p", "bond", "usury"]
OrgCode = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z]{10}$"), Field(description="10 letters or digits, in quotes")
]
ClientId = Annotated[
    str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,50}$"), Field(description="1 to 50 letters or digits, in quotes")
]
ApiCode = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{2}[0-9]{2}$"),
    Field(description="two capital letters and two digits, for example BA01"),
]
Version = Annotated[
    str, StringConstraints(pattern=r"^v[1-9][0-9]{0,2}$"), Field(description="v and a number, for example v1")
]
Text = Annotated[str, StringConstraints(min_length=1), Field(description="text")]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Port = Annotated[int, Field(ge=0, le=65535)]
Path = Annotated[
    str,
    StringConstraints(min_length=1),
    AfterValidator(at_folder),
    Field(description="a path, relative to the file that names it"),
]
LogPath = Annotated[
    str,
    StringConstraints(min_length=1),
    AfterValidator(_log),
    Field(description="stdout, or a file's path, relative to the file that names it"),
]
Secret = Annotated[
    str, AfterValidator(_secret), Field(description="a reference, file:PATH or env:NAME, never the secret itself")
]
SecretHash = Annotated[
    str,
    StringConstraints(
        pattern=r"^\$scrypt\$ln=(1[0-9]|20),r=[1-9][0-9]?,p=[1-9]\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{43}$"
    ),
    Field(description="what `relay secret` prints: $scrypt$ln=14,r=8,p=1$SALT$HASH"),
]
Network = Annotated[
    str,
    AfterValidator(_network),
    Field(description="an address or network, for example 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"),
]
Slot = Annotated[
    str, AfterValidator(_slot), Field(description="hhmm:hhmm in quotes, for example 0100:0700 or 2200:0400")
]
BaseUrl = Annotated[
    str,
    AfterValidator(_base_url),
    Field(description="https://host[:port][/path], or http:// on a leased line"),
]
SerialNum = Annotated[
    str,
    AfterValidator(_serial),
    StringConstraints(max_length=20),
    Field(description="letters and digits, hyphens allowed, in quotes"),
]


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
