"""What the portal tells of organisations and services, as rows of the ledger and as the text of a sync that is held."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges

_LISTS: Final = frozenset({"addresses", "slots", "callbacks", "app_schemes"})
_ORGANISATION: Final = tuple(field.name for field in fields(Organisation))
_SERVICE: Final = tuple(field.name for field in fields(RegisteredService))
_NO_ORGANISATION: Final = Organisation("", OrgType.OTHER, "")
_NO_SERVICE: Final = RegisteredService("", "", "", "")

Values = dict[str, Any]
"""The columns of a row but its number."""


def organisation_values(org_code: str, organisation: Organisation | None) -> Values:
    """The columns of an organisation, of one that is gone for None."""
    told = _told(organisation or _NO_ORGANISATION, _ORGANISATION)
    return told | {"org_code": org_code, "org_type": told["org_type"].value, "gone": organisation is None}


def service_values(client_id: str, service: RegisteredService | None) -> Values:
    """The columns of a service, of one that is gone for None."""
    told = _told(service or _NO_SERVICE, _SERVICE)
    kept = {"hashed": told.pop("secret_hash"), "mark": told.pop("secret_mark")}
    return told | kept | {"client_id": client_id, "gone": service is None}


def _told(thing: Organisation | RegisteredService, names: tuple[str, ...]) -> Values:
    return {name: _listed(getattr(thing, name)) if name in _LISTS else getattr(thing, name) for name in names}


def _listed(values: tuple[str, ...]) -> str:
    return json.dumps(values) if values else "[]"


def organisation_of(values: Mapping[str, Any]) -> Organisation | None:
    """The organisation of a row's columns; None for one that is gone."""
    if values["gone"]:
        return None
    told = _read(values)
    return Organisation(org_type=OrgType(told.pop("org_type")), **told)


def service_of(values: Mapping[str, Any]) -> RegisteredService | None:
    """The service of a row's columns; None for one that is gone."""
    if values["gone"]:
        return None
    told = _read(values)
    return RegisteredService(secret_hash=told.pop("hashed"), secret_mark=told.pop("mark"), **told)


def _read(values: Mapping[str, Any]) -> Values:
    told = {name: _list(value) if name in _LISTS else value for name, value in values.items()}
    told.pop("gone")
    told.pop("number", None)
    return told


def _list(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text)) if text != "[]" else ()


def changes_text(changes: RegistryChanges) -> str:
    """A sync as JSON."""
    services = {key: service_values(key, each) for key, each in changes.services.items()}
    told = {
        "organisations": {key: organisation_values(key, each) for key, each in changes.organisations.items()},
        "services": {key: values | {"mark": values["mark"].hex()} for key, values in services.items()},
        "orgs_timestamp": changes.orgs_timestamp,
        "services_timestamp": changes.services_timestamp,
    }
    return json.dumps(told)


def changes_of(text: str) -> RegistryChanges:
    """The sync of a `changes_text`."""
    told = json.loads(text)
    services = {key: values | {"mark": bytes.fromhex(values["mark"])} for key, values in told["services"].items()}
    return RegistryChanges(
        {key: organisation_of(values) for key, values in told["organisations"].items()},
        {key: service_of(values) for key, values in services.items()},
        told["orgs_timestamp"],
        told["services_timestamp"],
    )


def changes_id(changes: RegistryChanges) -> str:
    """A name of what a sync changes, the same whenever it comes again: 16 hexadecimal digits.

    The hash of a secret is salted and differs each time; its mark tells whether it is the same one.
    """
    orgs = [organisation_values(key, each) for key, each in sorted(changes.organisations.items())]
    services = [_marked(service_values(key, each)) for key, each in sorted(changes.services.items())]
    told = json.dumps([orgs, services], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _marked(values: Values) -> Values:
    mark = values["mark"].hex()
    return values | {"mark": mark, "hashed": "" if mark else values["hashed"]}
