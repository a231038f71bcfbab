"""What documents are built from, and the names that they give to APIs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from relay.domain.api import Api, Catalogue
from relay.domain.ids import INDUSTRIES

OAUTH: Final = "oauth"
SUPPORT: Final = "support"
PORTAL: Final = "portal"
GROUPS: Final = (OAUTH, *INDUSTRIES, SUPPORT, PORTAL)
"""The groups of APIs in the order of documents: tokens, the industries, support APIs of the relay and of the portal."""

_SUPPORT_PREFIX: Final = "지원-"
_FIRST_OF_RELAY: Final = 101
"""지원-001 to -006 are offered by the portal, 지원-101 and later by institutions and relays (규격 4.3)."""


@dataclass(frozen=True, slots=True)
class Example:
    """An example of a call: its parameters by name and the body of its response."""

    request: Mapping[str, Any]
    response: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DocumentSource:
    """The catalogue, the tables of errors, and examples by group and api_id.

    `rsp_codes` are (HTTP status, meaning) by code. `oauth_errors` are (error, HTTP status, cause) by endpoint.
    """

    catalogue: Catalogue
    rsp_codes: Mapping[str, tuple[int, str]]
    oauth_errors: Mapping[str, tuple[tuple[str, int, str], ...]]
    examples: Mapping[str, Mapping[str, Example]] = field(default_factory=dict)

    def list_apis(self, group: str) -> tuple[Api, ...]:
        """Returns the APIs of a group in the order of the official list, with those that are offered later."""
        if group in INDUSTRIES:
            return tuple(self.catalogue.iter_apis(group, later=True))
        return tuple(api for api in self.catalogue.apis.values() if not api.industries and _get_group(api) == group)

    def get_example(self, api: Api, group: str) -> Example | None:
        """Returns the example of an API in a group, None when there is none."""
        return self.examples.get(group, {}).get(api.api_id)

    def get_industry_names(self) -> Mapping[str, str]:
        """Returns the Korean names of the industries: the code table of 지원-002."""
        (org_list,) = (field for field in self.catalogue.apis["지원-002"].response.body if field.name == "org_list")
        (industry,) = (field for field in org_list.fields if field.name == "industry")
        return industry.codes


def _get_group(api: Api) -> str:
    if not api.api_id.startswith(_SUPPORT_PREFIX):
        return OAUTH
    return SUPPORT if int(api.api_id.removeprefix(_SUPPORT_PREFIX)) >= _FIRST_OF_RELAY else PORTAL


def get_code(api: Api) -> str:
    """Returns the api_code of an API (첨부12); support APIs, which have none, get S and their number."""
    return api.api_code or f"S{api.api_id.removeprefix(_SUPPORT_PREFIX)}"
