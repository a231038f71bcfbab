"""APIs with all their fields as JSON objects."""

import dataclasses
from typing import Any, Final

from relay.domain.api import Api, Field, Message, Presence
from relay.runtime.commands.apis.table import fill_path

_REQUIRED: Final = {Presence.REQUIRED: True, Presence.OPTIONAL: False, Presence.CONDITIONAL: "C"}
_PLACES: Final = ("header", "path", "query", "body")


def build_api_object(api: Api) -> dict[str, Any]:
    """Returns an API with every request and response field."""
    period = api.period
    return {
        "api_id": api.api_id,
        "api_code": api.api_code or None,
        "name": api.name,
        "name_en": api.name_en,
        "method": api.method,
        "path": fill_path(api),
        "version": api.version or None,
        "industries": api.industries,
        "later": api.later,
        "cycle": api.cycle,
        "scope": api.scope or None,
        "period": dataclasses.asdict(period) if period else None,
        "request": _build_message(api.request),
        "response": _build_message(api.response),
    }


def _build_message(message: Message) -> dict[str, Any]:
    return {place: [_build_field(field) for field in getattr(message, place)] for place in _PLACES}


def _build_field(field: Field) -> dict[str, Any]:
    row = {
        "name": field.name,
        "type": field.type,
        "length": int(field.length) if field.length.isdecimal() else field.length or None,
        "required": _REQUIRED[field.presence],
        "label": field.label,
    }
    if field.codes:
        row["codes"] = field.codes
    if field.condition:
        row["condition"] = field.condition
    if field.fields:
        row["fields"] = [_build_field(member) for member in field.fields]
    return row
