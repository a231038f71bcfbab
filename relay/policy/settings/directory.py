"""Models of the institutions' files (`config/providers/*.yaml`) and of the directory of operators."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from relay.policy.settings.core import CoreSettings
from relay.policy.settings.portal import MaintenanceWindow
from relay.policy.settings.scalars import (
    Answers,
    ApiCode,
    BaseUrl,
    Checking,
    ClientId,
    FilePath,
    Industry,
    Network,
    OrgCode,
    ProviderTimeouts,
    Rate,
    SecretHash,
    SecretReference,
    Section,
    SerialNum,
    Slot,
    Text,
    Version,
    build_error,
    describe_section,
)


class ProviderApis(Section):
    """APIs of the industry that this institution does not offer, and future APIs that it offers already."""

    left_out: frozenset[ApiCode] = frozenset()
    turned_on: frozenset[ApiCode] = frozenset()


class Language(StrEnum):
    """What the institution's server speaks: the APIs of the standard, or telegrams (전문) or JSON of its core."""

    STANDARD = "standard"
    TELEGRAM = "telegram"
    JSON = "json"


class LinkKind(StrEnum):
    """How the relay connects to the institution."""

    TLS = "tls"
    LEASED_LINE = "leased_line"


class AuthenticationMethod(StrEnum):
    """개별인증: who serves its pages to the customer. `NONE`: not offered (optional since 2022-11)."""

    NONE = "none"
    HOSTED = "hosted"
    REDIRECT = "redirect"
    APP = "app"


class HostedLogin(Section):
    """The relay serves the pages and sends logins to the institution: a POST to `login` below its base URL."""

    login: Annotated[
        str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]{1,200}$"), Field(description="a path, /mydata/login")
    ] = "/relay/login"


class RedirectLogin(Section):
    """The institution serves its own page and redirects the customer back with a result that it signed (ES256)."""

    url: BaseUrl
    public_key: FilePath


class AppLogin(Section):
    """The institution's app authenticates the customer; operators open it by these values (개별인증-001)."""

    app_scheme_ios: Text
    install_url_ios: Text
    app_scheme_android: Text
    install_url_android: Text


class WithheldBy(StrEnum):
    """Who removes fields without consent from responses: the institution or the relay (규격 6.2)."""

    PROVIDER = "provider"
    RELAY = "relay"


class Provider(Section):
    """`providers/NAME.yaml`: one institution (정보제공자): its APIs, addresses, TLS, limits and authentication.

    With `speaks: telegram` the adapter calls the core at `core.addresses`; `telegrams` is the folder of its layouts.
    With `speaks: json` it calls an API that the institution defines itself at `base_urls`; `json_apis` is the folder of
    the files that describe it.
    """

    org_code: OrgCode
    name: Text
    industry: Industry
    speaks: Language = Language.STANDARD
    base_urls: Annotated[tuple[BaseUrl, ...], Field(max_length=16)] = ()
    core: CoreSettings | None = None
    telegrams: FilePath | None = None
    json_apis: FilePath | None = None
    version: Version = "v1"
    min_version: Version | None = None
    apis: ProviderApis = ProviderApis()
    checking: Checking | None = None
    timeouts: ProviderTimeouts | None = None
    concurrency: Annotated[int, Field(ge=1, le=100_000)] | None = None
    queue: Annotated[int, Field(ge=0, le=100_000)] | None = None
    adaptive_concurrency: bool | None = None
    answers: Answers | None = None
    rate: Rate | None = None
    scheduled_rate: Rate | None = None
    scheduled_slots: Annotated[tuple[Slot, ...], Field(max_length=3)] = ()
    maintenance: Annotated[tuple[MaintenanceWindow, ...], Field(max_length=64)] = ()
    authentication: AuthenticationMethod = AuthenticationMethod.NONE
    hosted: HostedLogin = HostedLogin()
    redirect: RedirectLogin | None = None
    app: AppLogin | None = None
    withholding: WithheldBy = WithheldBy.PROVIDER
    link: LinkKind = LinkKind.TLS
    ca: FilePath | None = None
    certificate: FilePath | None = None
    private_key: SecretReference | None = None

    @property
    def needs_adapter(self) -> bool:
        """Whether the adapter converts the calls of this institution."""
        return self.speaks is not Language.STANDARD

    @model_validator(mode="after")
    def _check_sections(self) -> Self:
        _check_language(self)
        scheme = "https" if self.link is LinkKind.TLS else "http"
        for index, url in enumerate(self.base_urls):
            if urlsplit(url).scheme != scheme:
                wrong = f"does not match link: {self.link}"
                raise build_error(f"base_urls[{index}]", wrong, f"a URL that begins with {scheme}://")
        if self.link is LinkKind.TLS and self.ca is None:
            raise build_error("ca", "is missing, but link is tls", "the CA that signed the institution's certificate")
        if (self.certificate is None) != (self.private_key is None):
            given, missing = (
                ("private_key", "certificate") if self.certificate is None else ("certificate", "private_key")
            )
            raise build_error(missing, f"is missing, but {given} is set", "both or neither")
        for method, model in ((AuthenticationMethod.REDIRECT, RedirectLogin), (AuthenticationMethod.APP, AppLogin)):
            if self.authentication is method and getattr(self, method.value) is None:
                wrong = f"is missing, but authentication is {method.value}"
                raise build_error(method.value, wrong, describe_section(model))
        for index, window in enumerate(self.maintenance):
            _check_maintenance(f"maintenance[{index}]", window)
        if self.min_version and int(self.min_version[1:]) > int(self.version[1:]):
            raise build_error("min_version", f"is above version {self.version}", f"v1 to {self.version}")
        return self


def _check_language(provider: Provider) -> None:
    """Raises the error of a section that does not belong to what the institution speaks."""
    speaks, language = f"but speaks is {provider.speaks}", provider.speaks
    if language is not Language.TELEGRAM and not provider.base_urls:
        raise build_error("base_urls", f"is missing, {speaks}", "1 to 16 URLs of the institution")
    for name, owner in (("core", Language.TELEGRAM), ("telegrams", Language.TELEGRAM), ("json_apis", Language.JSON)):
        if getattr(provider, name) is not None and language is not owner:
            raise build_error(name, f"is set, {speaks}", f"speaks: {owner}, or no such key")
    if language is Language.TELEGRAM:
        _check_telegrams(provider, speaks)
    if provider.needs_adapter and provider.authentication is AuthenticationMethod.HOSTED:
        raise build_error("authentication", f"is hosted, {speaks}", "none, redirect or app")


def _check_telegrams(provider: Provider, speaks: str) -> None:
    if provider.base_urls:
        raise build_error("base_urls", f"is set, {speaks}", "core.addresses, and no base_urls")
    if provider.core is None:
        raise build_error("core", f"is missing, {speaks}", describe_section(CoreSettings))
    if provider.core.listen is not None and provider.link is LinkKind.TLS and provider.certificate is None:
        wrong = "is missing, but link is tls and the core opens the lines"
        raise build_error("certificate", wrong, "the certificate that the relay shows to the core, and private_key")


def _check_maintenance(key: str, window: MaintenanceWindow) -> None:
    if (window.day is None) == (window.date is None):
        wrong = "has neither day nor date" if window.day is None else "has both day and date"
        raise build_error(key, wrong, "either day or date")
    if window.start == window.end:
        raise build_error(f"{key}.end", "is equal to start", "another time; an end before start is on the next day")
    try:
        date.fromisoformat(window.date or "20000101")
    except ValueError:
        raise build_error(f"{key}.date", "is not a calendar date", "YYYYMMDD in quotes") from None


class DirectoryService(Section):
    """A service of an operator (지원-003). Its client secret is given as a slow hash only."""

    client_id: ClientId
    name: Text
    client_secret_hash: SecretHash | None = None
    callbacks: Annotated[tuple[str, ...], Field(max_length=4)] = ()
    app_schemes: tuple[str, ...] = ()


class DirectoryOperator(Section):
    """An operator (마이데이터사업자, 지원-002) and its services."""

    org_code: OrgCode
    name: Text
    serial_num: SerialNum
    addresses: Annotated[tuple[Network, ...], Field(min_length=1)]
    services: Annotated[tuple[DirectoryService, ...], Field(min_length=1)]


class Directory(Section):
    """`directory.yaml`: the operators that may call a relay without a portal."""

    operators: tuple[DirectoryOperator, ...] = ()

    @model_validator(mode="after")
    def _check_duplicates(self) -> Self:
        codes = [(f"operators[{index}].org_code", operator.org_code) for index, operator in enumerate(self.operators)]
        codes += [
            (f"operators[{index}].services[{number}].client_id", service.client_id)
            for index, operator in enumerate(self.operators)
            for number, service in enumerate(operator.services)
        ]
        seen: set[tuple[str, str]] = set()
        for key, code in codes:
            name = key.rpartition(".")[2]
            if (name, code) in seen:
                raise build_error(key, f"is a duplicate: {code}", f"each {name} once")
            seen.add((name, code))
        return self
