from pathlib import Path

import pytest
from harness import procfs
from harness.postgresql import PostgreSql


def test_a_private_server_runs_until_it_is_stopped():
    server = PostgreSql(durable=True)
    server.start()
    url = server.database()
    assert procfs.rss_mb(procfs.tree(server.pid)) > 1
    assert server.sql(url, "show fsync") == "on\n"
    assert server.sql(server.database(), "select 1") == "1\n"
    server.stop()
    assert not Path(url.partition("host=")[2]).exists()


def test_a_halted_server_keeps_its_data():
    server = PostgreSql()
    server.start()
    url = server.database()
    server.sql(url, "create table kept as select 7 as seven")
    server.halt()
    with pytest.raises(AssertionError, match="No such file"):
        server.sql(url, "select 1")
    server.resume()
    assert server.sql(url, "select seven from kept") == "7\n"
    server.stop()


def test_errors_of_the_programs_are_raised(postgresql):
    with pytest.raises(AssertionError, match="syntax error"):
        postgresql.sql(postgresql.database(), "selec")
