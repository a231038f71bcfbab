"""Scalar types of the settings: codes, addresses, references to secrets.

The `description` in the JSON Schema says what is allowed: editors show it, and `relay check` prints it beside an
invalid value. The validation context `{"folder": PATH}` resolves file references against that folder; without it they
stay as written.
"""

import ipaddress
import re
from enum import StrEnum
from pathlib import PurePath
from posixpath import normpath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from relay.domain.ids import normalize_serial

STDOUT = "stdout"
AUTO: Literal["auto"] = "auto"
MAX_WORKERS = 64
_BASE_URL = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?"
)
SERIAL_PATTERN = re.compile(r"[0-9A-Za-z -]+")
SLOT_CLOCK_PATTERN = re.compile(r"([01]\d|2[0-3])[0-5]\d|2400")


def build_error(key: str, wrong: str, allowed: str) -> PydanticCustomError:
    """Returns the error of a validator; `key` is the dotted key within the section, "" for the section itself."""
    context = {"key": key, "wrong": wrong, "allowed": allowed}
    return PydanticCustomError("settings_error", "{key}: {wrong}; expected: {allowed}", context)


def describe_section(model: type["Section"]) -> str:
    """Returns words for a section with the keys of `model`."""
    return "a section with the keys " + ", ".join(model.model_fields)


def resolve_path(value: str, info: ValidationInfo) -> str:
    """Returns `value` as a path relative to the folder of the validation context."""
    folder = (info.context or {}).get("folder")
    return value if folder is None else normpath(PurePath(folder, value))


def _resolve_log_path(value: str, info: ValidationInfo) -> str:
    return value if value == STDOUT else resolve_path(value, info)


def _check_secret(value: str, info: ValidationInfo) -> str:
    scheme, _, rest = value.partition(":")
    if scheme not in {"file", "env"} or not rest:
        raise ValueError("a secret is written as a reference: file:PATH or env:NAME")
    return value if scheme == "env" else f"file:{resolve_path(rest, info)}"


def _check_workers(value: Any) -> int | Literal["auto"]:
    if value == AUTO:
        return AUTO
    if type(value) is not int or not 1 <= value <= MAX_WORKERS:
        raise ValueError("a number of workers is written as a whole number, or auto")
    return value


def _check_network(value: str) -> str:
    try:
        address = ipaddress.ip_network(value, strict=False).network_address
    except ValueError:
        address = None
    if address is None or getattr(address, "ipv4_mapped", None) or getattr(address, "scope_id", None):
        raise ValueError("an address or a network is written 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")
    return value


def _check_slot(value: str) -> str:
    start, _, end = value.partition(":")
    if not (SLOT_CLOCK_PATTERN.fullmatch(start) and SLOT_CLOCK_PATTERN.fullmatch(end)):
        raise ValueError("a slot is written hhmm:hhmm, for example 0100:0700")
    return value


def _check_base_url(value: str) -> str:
    url = urlsplit(value)
    if _BASE_URL.fullmatch(value) is None or not url.hostname:
        raise ValueError("a base URL is written https://host[:port][/path] (http:// on a leased line)")
    port = url.netloc.rpartition(":")[2]
    if port.isdigit() and not 1 <= int(port) <= 65535:  # noqa: PLR2004 - 16 bits
        raise ValueError("a base URL's port is 1 to 65535")
    if re.fullmatch(r"[\d.]+|0x[\da-fA-F]+", url.hostname):
        ipaddress.IPv4Address(url.hostname)  # no 127.1, no 2130706433
    return value.rstrip("/")


def _check_serial(value: str) -> str:
    if not SERIAL_PATTERN.fullmatch(value) or not normalize_serial(value):
        raise ValueError("serial_num holds letters, digits, hyphens and blanks")
    return value


WorkerCount = Annotated[
    int | Literal["auto"],
    PlainValidator(_check_workers),
    WithJsonSchema(
        {
            "oneOf": [{"type": "integer", "minimum": 1, "maximum": MAX_WORKERS}, {"const": AUTO}],
            "description": f"a whole number from 1 to {MAX_WORKERS}, or auto",
        }
    ),
]
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
FilePath = Annotated[
    str,
    StringConstraints(min_length=1),
    AfterValidator(resolve_path),
    Field(description="a path, relative to the file that names it"),
]
LogPath = Annotated[
    str,
    StringConstraints(min_length=1),
    AfterValidator(_resolve_log_path),
    Field(description="stdout, or a file's path, relative to the file that names it"),
]
SecretReference = Annotated[
    str, AfterValidator(_check_secret), Field(description="a reference, file:PATH or env:NAME, not the secret itself")
]
SecretHash = Annotated[
    str,
    StringConstraints(
        pattern=r"^\$scrypt\$ln=(1[0-9]|20),r=[1-9][0-9]?,p=[1-9]\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{43}$"
    ),
    Field(description="the output of `relay secret`: $scrypt$ln=14,r=8,p=1$SALT$HASH"),
]
Network = Annotated[
    str,
    AfterValidator(_check_network),
    Field(description="an address or network, for example 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"),
]
Slot = Annotated[
    str, AfterValidator(_check_slot), Field(description="hhmm:hhmm in quotes, for example 0100:0700 or 2200:0400")
]
BaseUrl = Annotated[
    str,
    AfterValidator(_check_base_url),
    Field(description="https://host[:port][/path], or http:// on a leased line"),
]
SerialNum = Annotated[
    str,
    AfterValidator(_check_serial),
    StringConstraints(max_length=20),
    Field(description="letters and digits, hyphens allowed, in quotes"),
]


class Section(BaseModel):
    """A section of the settings. It refuses unknown keys and is immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Checking(StrEnum):
    """How strictly requests are checked against the catalogue before they are forwarded."""

    STRICT = "strict"
    LENIENT = "lenient"
    OFF = "off"


class Answers(StrEnum):
    """Which answers of an institution are checked against the catalogue, off the calls' way."""

    OFF = "off"
    SAMPLE = "sample"
    ALL = "all"


class Rate(Section):
    """A rate limit: requests per second, and how many may come at once."""

    per_second: Annotated[float, Field(gt=0, le=1_000_000)]
    burst: Annotated[int, Field(ge=1, le=1_000_000)]


class ProviderTimeouts(Section):
    """Timeouts of an institution: connect, wait for a permit, first byte of the response, whole call, idle connection.

    The wait counts in the time of the first byte.
    """

    connect_s: Seconds = 2.0
    queue_s: Seconds = 3.0
    first_byte_s: Seconds = 12.0
    total_s: Seconds = 15.0
    idle_s: Seconds = 4.0


class ListenerTimeouts(Section):
    """How long a listener waits for its client: TLS handshake, request head, request body, next request."""

    handshake_s: Seconds = 5.0
    head_s: Seconds = 5.0
    body_s: Seconds = 10.0
    idle_s: Seconds
