"""Forms as they come in: small, of one type, in time (the standard's limit of 64 KiB serves here too)."""

import asyncio
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from relay.oauth.pages.choices import Form
from relay.oauth.pages.problems import MALFORMED, Hindered

BODY_MOST: Final = 65536
FIELDS_MOST: Final = 2000
"""More assets than anybody has."""

BODY_S: Final = 10.0
_TYPE: Final = "application/x-www-form-urlencoded"


async def form_of(http: web.Request) -> Form:
    """The submitted form. Raises Hindered; aiohttp itself refuses what is over `BODY_MOST`."""
    if http.content_type != _TYPE or "Content-Encoding" in http.headers:
        raise Hindered(MALFORMED)
    try:
        async with asyncio.timeout(BODY_S):
            body = await http.read()
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(body),
            max_num_fields=FIELDS_MOST,
            errors="strict",
        )
    except (TimeoutError, ValueError) as error:
        raise Hindered(MALFORMED) from error
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in form.items()}


def flaw(form: Form, name: str, most: int) -> str:
    """What keeps `one` from reading the field `name`: "missing" (doubled too), "long", "unprintable"; "" for nothing.

    For fields that people type into: they must be told what to mend.
    """
    values = form.get(name, ())
    if len(values) != 1 or not values[0]:
        return "missing"
    if len(values[0]) > most:
        return "long"
    return "" if values[0].isprintable() else "unprintable"


def one(form: Form, name: str, most: int) -> str:
    """The field `name`, printable and at most `most` characters long; "" when it is missing, doubled or not so."""
    values = form.get(name, ())
    return values[0] if len(values) == 1 and len(values[0]) <= most and values[0].isprintable() else ""
