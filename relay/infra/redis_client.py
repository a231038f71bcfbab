"""Clients of Redis: one server, or the master that Sentinels name."""

from typing import Any, Final
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

RESPONSE_S: Final = 2.0
"""Time limit of a connection and of a response, if the caller has no shorter one."""

SENTINEL_SCHEME: Final = "redis+sentinel"
_SENTINEL_PORT: Final = 26379


def make_redis_client(url: str, response_s: float = RESPONSE_S, connect_s: float | None = None) -> Redis:
    """Returns a client without retries: they would hide an outage, 5 s per command as measured. Raises ValueError.

    A connection takes no longer than `connect_s`, by default `response_s`, whatever the query of the URL says.

    `redis+sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT/MASTER[/DB]` names Sentinels.
    """
    timing = {
        "socket_timeout": response_s,
        "socket_connect_timeout": connect_s or response_s,
        "retry": Retry(NoBackoff(), 0),
    }
    options: dict[str, Any] = dict(timing)
    if not url.startswith(f"{SENTINEL_SCHEME}://"):
        client: Redis = Redis.from_url(url, **options)
        client.connection_pool.connection_kwargs.update(timing)
        _check_options(client)
        return client
    parts = urlsplit(url)
    _, _, places = parts.netloc.rpartition("@")
    master, _, database = parts.path.strip("/").partition("/")
    if not master:
        raise ValueError("the URL names no master")
    sentinels = [_parse_place(place) for place in places.split(",")]
    for name, value in (("username", parts.username), ("password", parts.password)):
        if value:
            options[name] = unquote(value)
    finder = Sentinel(sentinels, sentinel_kwargs=timing, **timing)  # type: ignore[no-untyped-call]
    return finder.master_for(master, db=int(database or 0), **options)  # type: ignore[no-any-return]


async def close_redis_client(client: Redis) -> None:
    """Closes a client, and its connections to Sentinels."""
    await client.aclose()
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    for sentinel in manager.sentinels if manager is not None else ():
        await sentinel.aclose()


def _check_options(client: Redis) -> None:
    """Raises ValueError for an option in the query of the URL that no connection has."""
    try:
        client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except TypeError as error:
        raise ValueError("the query of the URL has an unknown option") from error


def _parse_place(place: str) -> tuple[str, int]:
    host, _, port = place.rpartition(":") if place.rpartition("]")[2].count(":") else (place, "", "")
    return host.strip("[]"), int(port or _SENTINEL_PORT)
