"""URLs of Redis: one server, or Sentinels."""

import pytest

from relay.infra.redis_client import make_redis_client


async def test_a_client_of_one_server_repeats_nothing(redis_server):
    client = make_redis_client(redis_server.url, 0.5)
    options = client.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.5, 0.5)
    assert options["retry"].get_retries() == 0
    assert await client.ping()
    await client.aclose()


async def test_the_query_of_the_url_changes_no_time_limit():
    client = make_redis_client("redis://one?socket_timeout=30&db=2", 0.5)
    options = client.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["db"]) == (0.5, 2)
    await client.aclose()


@pytest.mark.parametrize(
    ("url", "sentinels", "master", "database"),
    [
        ("redis+sentinel://one:26380,two/mymaster", [("one", 26380), ("two", 26379)], "mymaster", 0),
        ("redis+sentinel://10.0.0.1/main/3", [("10.0.0.1", 26379)], "main", 3),
        ("redis+sentinel://[::1]:5,[::2]/main", [("::1", 5), ("::2", 26379)], "main", 0),
    ],
)
async def test_sentinels_name_the_master(url, sentinels, master, database):
    client = make_redis_client(url)
    pool = client.connection_pool
    places = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(place["host"], place["port"]) for place in places] == sentinels
    assert (pool.service_name, pool.connection_kwargs["db"]) == (master, database)
    await client.aclose()


async def test_user_and_password_are_those_of_the_servers():
    client = make_redis_client("redis+sentinel://user:p%40ss@one/main")
    options = client.connection_pool.connection_kwargs
    assert (options["username"], options["password"]) == ("user", "p@ss")
    await client.aclose()


@pytest.mark.parametrize(
    "url",
    ["redis+sentinel://one:1", "redis+sentinel://one:x/main", "ftp://one", "redis://one:99999/0", "redis://one?foo=1"],
)
def test_an_unusable_url_raises(url):
    with pytest.raises(ValueError, match=r"."):
        make_redis_client(url)
