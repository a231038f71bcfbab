"""Who stands around the relay: one file per institution (`config/providers/`), one directory of operators."""

from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from relay.policy.scalars import (
    ApiCode,
    BaseUrl,
    Checking,
    ClientId,
    Industry,
    Model,
    Network,
    OrgCode,
    Path,
    ProviderTimeouts,
    Rate,
    Secret,
    SerialNum,
    Slot,
    Version,
)


class ProviderApis(Model):
    """APIs of the industry this institution leaves out, and those that come later but are turned on already."""

    left_out: frozenset[ApiCode] = frozenset()
    turned_on: frozenset[ApiCode] = frozenset()


class Link(StrEnum):
    """How the institution is reached."""

    TLS = "tls"
    LEASED_LINE = "leased_line"


class Provider(Model):
    """`providers/NAME.yaml`: one institution (정보제공자), everything the relay needs to expose it and spare it."""

    org_code: OrgCode
    name: str
    industry: Industry
    base_urls: Annotated[tuple[BaseUrl, ...], Field(min_length=1, max_length=16)]
    version: Version = "v1"
    min_version: Version | None = None
    apis: ProviderApis = ProviderApis()
    checking: Checking | None = None
    timeouts: ProviderTimeouts | None = None
    concurrency: Annotated[int, Field(ge=1, le=100_000)] | None = None
    queue: Annotated[int, Field(ge=0, le=100_000)] | None = None
    rate: Rate | None = None
    scheduled_slots: Annotated[tuple[Slot, ...], Field(max_length=3)] = ()
    link: Link = Link.TLS
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Secret | None = None

    @model_validator(mode="after")
    def _link_and_urls_agree(self) -> Self:
        scheme = "https" if self.link is Link.TLS else "http"
        if any(urlsplit(url).scheme != scheme for url in self.base_urls):
            raise ValueError(f"link: {self.link.value} needs base_urls that begin with {scheme}://")
        if self.link is Link.TLS and self.ca is None:
            raise ValueError("link: tls needs ca, the CA that signed the institution's certificate")
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key go together")
        if self.min_version and int(self.min_version[1:]) > int(self.version[1:]):
            raise ValueError(f"min_version {self.min_version} is above version {self.version}")
        return self


class DirectoryService(Model):
    """A service of an operator (지원-003). The secret is stored as a slow hash, never itself."""

    client_id: ClientId
    name: str
    client_secret_hash: str | None = None
    callbacks: Annotated[tuple[str, ...], Field(max_length=4)] = ()
    app_schemes: tuple[str, ...] = ()


class DirectoryOperator(Model):
    """An operator (지원-002)."""

    org_code: OrgCode
    name: str
    serial_num: SerialNum
    addresses: Annotated[tuple[Network, ...], Field(min_length=1)]
    services: Annotated[tuple[DirectoryService, ...], Field(min_length=1)]


class Directory(Model):
    """`directory.yaml`: who may call, until the portal delivers it."""

    operators: tuple[DirectoryOperator, ...] = ()

    @model_validator(mode="after")
    def _nobody_twice(self) -> Self:
        codes = [operator.org_code for operator in self.operators]
        clients = [service.client_id for operator in self.operators for service in operator.services]
        for what, names in (("org_code", codes), ("client_id", clients)):
            doubled = sorted({name for name in names if names.count(name) > 1})
            if doubled:
                raise ValueError(f"{what} stands twice: {', '.join(doubled)}")
        return self
