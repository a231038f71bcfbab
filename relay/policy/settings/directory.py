"""Who stands around the relay: one file per institution (`config/providers/`), one directory of operators."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from relay.policy.settings.portal import Maintenance
from relay.policy.settings.scalars import (
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
    SecretHash,
    SerialNum,
    Slot,
    Text,
    Version,
    refuse,
)


class ProviderApis(Model):
    """APIs of the industry this institution leaves out, and those that come later but are turned on already."""

    left_out: frozenset[ApiCode] = frozenset()
    turned_on: frozenset[ApiCode] = frozenset()


class Link(StrEnum):
    """How the institution is reached."""

    TLS = "tls"
    LEASED_LINE = "leased_line"


class Authentication(StrEnum):
    """개별인증: who shows the customer the pages. `NONE`: it is not offered (optional since 2022-11)."""

    NONE = "none"
    HOSTED = "hosted"
    REDIRECT = "redirect"
    APP = "app"


class Hosted(Model):
    """The relay shows the pages and asks the institution who logs in: a POST to `login` below its base URL."""

    login: Annotated[
        str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]{1,200}$"), Field(description="a path, /mydata/login")
    ] = "/relay/login"


class Redirect(Model):
    """The institution shows its own page and sends the customer back with a result it signed (ES256)."""

    url: BaseUrl
    public_key: Path


class App(Model):
    """The institution's app does it; the operator opens it by these (개별인증-001, app way)."""

    app_scheme_ios: Text
    install_url_ios: Text
    app_scheme_android: Text
    install_url_android: Text


class Withholding(StrEnum):
    """Who leaves out of answers what the customer did not consent to (규격 6.2)."""

    PROVIDER = "provider"
    RELAY = "relay"


class Provider(Model):
    """`providers/NAME.yaml`: one institution (정보제공자), everything the relay needs to expose it and spare it."""

    org_code: OrgCode
    name: Text
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
    maintenance: Annotated[tuple[Maintenance, ...], Field(max_length=64)] = ()
    authentication: Authentication = Authentication.NONE
    hosted: Hosted = Hosted()
    redirect: Redirect | None = None
    app: App | None = None
    withholding: Withholding = Withholding.PROVIDER
    link: Link = Link.TLS
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Secret | None = None

    @model_validator(mode="after")
    def _link_and_urls_agree(self) -> Self:
        scheme = "https" if self.link is Link.TLS else "http"
        for index, url in enumerate(self.base_urls):
            if urlsplit(url).scheme != scheme:
                raise refuse(f"base_urls[{index}]", f"does not fit link: {self.link}", f"begins with {scheme}://")
        if self.link is Link.TLS and self.ca is None:
            raise refuse("ca", "is missing", "the CA that signed the institution's certificate, because link is tls")
        if (self.certificate is None) != (self.private_key is None):
            alone, absent = (
                ("private_key", "certificate") if self.certificate is None else ("certificate", "private_key")
            )
            raise refuse(absent, f"is missing beside {alone}", "both or neither")
        for way in (Authentication.REDIRECT, Authentication.APP):
            if self.authentication is way and getattr(self, way.value) is None:
                raise refuse(way.value, "is missing", f"needed because authentication is {way.value}")
        for index, entry in enumerate(self.maintenance):
            _check_maintenance(f"maintenance[{index}]", entry)
        if self.min_version and int(self.min_version[1:]) > int(self.version[1:]):
            raise refuse("min_version", f"is above version {self.version}", f"v1 to {self.version}")
        return self


def _check_maintenance(key: str, entry: Maintenance) -> None:
    if (entry.day is None) == (entry.date is None):
        wrong = "has neither day nor date" if entry.day is None else "has both day and date"
        raise refuse(key, wrong, "one of them")
    if entry.start == entry.end:
        raise refuse(f"{key}.end", "is its start", "another time; one that is not after the start is on the next day")
    try:
        date.fromisoformat(entry.date or "20000101")
    except ValueError:
        raise refuse(f"{key}.date", "is no day of the calendar", "YYYYMMDD in quotes") from None


class DirectoryService(Model):
    """A service of an operator (지원-003). The secret is stored as a slow hash, never itself."""

    client_id: ClientId
    name: Text
    client_secret_hash: SecretHash | None = None
    callbacks: Annotated[tuple[str, ...], Field(max_length=4)] = ()
    app_schemes: tuple[str, ...] = ()


class DirectoryOperator(Model):
    """An operator (지원-002)."""

    org_code: OrgCode
    name: Text
    serial_num: SerialNum
    addresses: Annotated[tuple[Network, ...], Field(min_length=1)]
    services: Annotated[tuple[DirectoryService, ...], Field(min_length=1)]


class Directory(Model):
    """`directory.yaml`: who may call, where there is no portal that tells it."""

    operators: tuple[DirectoryOperator, ...] = ()

    @model_validator(mode="after")
    def _nobody_twice(self) -> Self:
        named = [(f"operators[{at}].org_code", operator.org_code) for at, operator in enumerate(self.operators)]
        named += [
            (f"operators[{at}].services[{nth}].client_id", service.client_id)
            for at, operator in enumerate(self.operators)
            for nth, service in enumerate(operator.services)
        ]
        seen: set[tuple[str, str]] = set()
        for key, name in named:
            kind = key.rpartition(".")[2]
            if (kind, name) in seen:
                raise refuse(key, f"stands twice: {name}", f"each {kind} once")
            seen.add((kind, name))
        return self
