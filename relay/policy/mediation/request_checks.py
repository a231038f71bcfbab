"""Checks what requests of a core say, and what its responses repeat, whether it speaks telegrams or JSON."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from relay.domain.api import Api, Presence
from relay.policy.mediation.file_checks import FileProblems
from relay.policy.mediation.settings import CustomerCheck, ListPaging
from relay.policy.mediation.telegram.codec import Kind

CUSTOMER: Final = "user_ci"
CI_LENGTH: Final = 88
"""A CI (연계정보) is 64 bytes in Base64."""

_OWN_PARAMETERS: Final = frozenset({"org_code", "limit", "next_page", "search_timestamp"})
"""Parameters that cores need not have: the relay itself answers for them."""

_CHANGED_PARAMETERS: Final = frozenset({"limit", "next_page", "search_timestamp"})
"""Parameters that a response does not repeat: the core has them in another form."""

_POSITIONS: Final = ("rows", "page", "key", "page_number", "offset")
_UNBOUNDED: Final = frozenset({Kind.DATE, Kind.TIME, Kind.DATETIME})


@dataclass(frozen=True, slots=True)
class SentValue:
    """A value that requests have: its key in the file, its name, and its field; `length` 0 is any.

    `is_changed` is a value with `codes` or a `default`: the core gets another one, so it names no customer or asset.
    """

    key: str
    name: str
    length: int = 0
    kind: Kind = Kind.ASCII
    is_changed: bool = False


def list_unchanged(sent: Collection[SentValue]) -> frozenset[str]:
    """Returns the names of values that the core gets as the call has them."""
    return frozenset(value.name for value in sent if not value.is_changed)


def check_request(
    api: Api,
    sent: Sequence[SentValue],
    repeated: Collection[str],
    paging: ListPaging | None,
    customer: CustomerCheck,
    file: FileProblems,
) -> None:
    """Adds what the request of an API lacks, and what it has without sense.

    `repeated` are the values of the request that each response must repeat.
    """
    names = {value.name for value in sent}
    _check_customer(list_unchanged(sent), repeated, customer, file)
    _check_parameters(api, names, file)
    _check_positions(sent, paging, file)
    _check_lengths(api, sent, file)


def _check_customer(
    names: Collection[str], repeated: Collection[str], customer: CustomerCheck, file: FileProblems
) -> None:
    if customer == "ci" and CUSTOMER not in names and CUSTOMER not in repeated:
        wrong = "does not name the customer of the call, user_ci: the core would serve accounts of other customers"
        allowed = "a field = $user_ci of an(88); if the core cannot take the CI, customer: unchecked in link.yaml"
        file.add("request", wrong, allowed)


def _check_parameters(api: Api, names: Collection[str], file: FileProblems) -> None:
    asset = api.asset
    known = {"" if asset is None else asset.field, *_OWN_PARAMETERS}
    for field in (*api.request.path, *api.request.query, *api.request.body):
        if field.name in names or field.name in known:
            continue
        wrong, allowed = f"does not have the parameter {field.name} of the API", f"a field {field.name}"
        if field.presence is Presence.REQUIRED:
            file.add("request", wrong, allowed)
        else:
            file.warn("request", wrong, allowed)


def _check_positions(sent: Sequence[SentValue], paging: ListPaging | None, file: FileProblems) -> None:
    """Adds positions in a list that have no value. Fields of the header, which other APIs need, may be blank."""
    keys = set() if paging is None else {f"key.{name}" for name in paging.key}
    for value in sent:
        if value.key.startswith("header"):
            continue
        if paging is None and value.name in _POSITIONS:
            file.add(value.key, f"has ${value.name}, but the file has no paging", "paging, or no such field")
        elif value.name.startswith("key.") and value.name not in keys:
            file.add(value.key, f"has ${value.name}, which is not in paging.key", "one of paging.key")


def _check_lengths(api: Api, sent: Sequence[SentValue], file: FileProblems) -> None:
    fields = {field.name: field for field in (*api.request.path, *api.request.query, *api.request.body)}
    for value in sent:
        if not value.length or value.kind in _UNBOUNDED:
            continue
        if value.name == CUSTOMER and value.length < CI_LENGTH:
            file.add(value.key, f"has {value.length} bytes for $user_ci", f"{CI_LENGTH} bytes, those of a CI")
        field = fields.get(value.name)
        if field is not None and field.length.isdigit() and value.length < int(field.length):
            wrong = f"has {value.length} bytes, but {field.name} may have {field.length}"
            asset = api.asset
            is_asset = asset is not None and field.name in {asset.field, asset.seqno}
            allowed = "a longer field if the core has longer values; longer ones are "
            file.warn(value.key, wrong, allowed + ("answered with 40402" if is_asset else "errors (50007)"))


def list_repeated(api: Api) -> frozenset[str]:
    """Returns the parameters that a response repeats: its fields of the same name must have the value of the call."""
    request = api.request
    return frozenset({field.name for field in request.path + request.query + request.body} - _CHANGED_PARAMETERS)


def warn_of_swaps(api: Api, repeated: Collection[str], file: FileProblems) -> None:
    """Adds a warning when nothing in a response says whose it is."""
    asset = api.asset
    own = {CUSTOMER} | (set() if asset is None else {asset.field})
    if not own & set(repeated):
        wrong = "repeat nothing of the customer: if the core swaps two responses, each customer gets the other's data"
        allowed = "a field = $user_ci" + ("" if asset is None else f", or a field {asset.field}")
        file.warn("response.fields", wrong, allowed)
