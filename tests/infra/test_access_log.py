import json
import os
import stat

import pytest

from relay.infra import access_log
from relay.infra.access_log import AccessLog, line


@pytest.fixture
def log(tmp_path):
    made = AccessLog(str(tmp_path / "access.log"), most=3)
    made._file = made._open()
    yield made
    made._file.close()


def lines(log):
    log._write()
    with open(log._path, encoding="utf-8") as file:  # noqa: PTH123 - its path is text
        return [json.loads(one) for one in file]


def test_a_record_is_one_line_of_json_in_milliseconds(exchange):
    served = {"tran_id": "T", "provider": "bank", "status": 200, "attempts": 1, "bytes_in": 5, "bytes_out": 7}
    made = exchange(started=1.0, asked=1.001, first_byte=1.002, provider_ended=1.003, ended=1.005, **served)
    text = line(made)
    assert text.count("\n") == 1
    found = json.loads(text)
    assert (found["total_ms"], found["relay_ms"], found["upstream_ms"], found["first_byte_ms"]) == (5, 3, 2, 1)
    assert (found["org_code"], found["bytes_in"], found["bytes_out"], found["time"]) == ("bank", 5, 7, 1_700_000_000)


@pytest.mark.parametrize("before", [0.5, 0.0009, 0.0004, 0.000001])
def test_the_end_of_a_record_is_never_rounded_into_the_next_second(exchange, before):
    made = exchange(started=1.0, ended=2.0 - before)
    assert 1_700_000_000 <= json.loads(line(made))["ended"] < 1_700_000_001


def test_what_finds_no_room_is_counted_as_lost(log, exchange):
    log.write([exchange(tran_id=str(number)) for number in range(2)])
    log.write([exchange(tran_id=str(number)) for number in range(2, 6)])
    assert log.lost == 3
    assert [one["tran_id"] for one in lines(log)] == ["0", "1", "2"]
    log.write([exchange(tran_id="6")])
    assert [one["tran_id"] for one in lines(log)] == ["0", "1", "2", "6"]
    assert (log.lost, log.written) == (3, 4)


def test_a_line_stands_once_though_the_writer_comes_while_lines_are_made(log, exchange, monkeypatch):
    def interrupted(made):
        log._write()
        return line(made)

    log.write([exchange(tran_id="0")])
    monkeypatch.setattr(access_log, "line", interrupted)
    log.write([exchange(tran_id="1"), exchange(tran_id="2")])
    assert [one["tran_id"] for one in lines(log)] == ["0", "1", "2"]


def test_a_file_that_cannot_be_written_costs_its_lines_and_says_so(log, exchange, monkeypatch):
    monkeypatch.setattr(access_log, "_EVERY_S", 0)
    log.write([exchange(), exchange()])
    log._file.close()
    log._write()
    assert (log.lost, log.written) == (2, 0)
    log._file = log._open()


def test_after_a_rotation_lines_go_to_the_new_file(log, exchange, tmp_path):
    log.write([exchange(tran_id="old")])
    renamed = (tmp_path / "access.log").rename(tmp_path / "access.1")
    log.reopen()
    log.write([exchange(tran_id="new")])
    assert [one["tran_id"] for one in lines(log)] == ["new"]
    assert '"old"' in renamed.read_text()


@pytest.mark.parametrize(("umask", "mode"), [(0o000, 0o640), (0o022, 0o640), (0o077, 0o600)], ids=oct)
def test_a_file_that_comes_to_be_is_nobody_elses(tmp_path, umask, mode):
    former = os.umask(umask)
    try:
        AccessLog(str(tmp_path / "fresh.log"), most=3)._open().close()
    finally:
        os.umask(former)
    assert stat.S_IMODE((tmp_path / "fresh.log").stat().st_mode) == mode


def test_stopping_writes_what_waits(tmp_path, exchange):
    log = AccessLog(str(tmp_path / "access.log"), most=10)
    log.start()
    log.write([exchange(tran_id="last")])
    log.stop()
    assert '"last"' in (tmp_path / "access.log").read_text()


def test_a_folder_that_is_not_there_is_said_at_the_start(tmp_path):
    with pytest.raises(FileNotFoundError):
        AccessLog(str(tmp_path / "nowhere" / "access.log"), most=1).start()


def test_stdout_is_written_to_and_stays_open(capsys, exchange):
    log = AccessLog("stdout", most=10)
    log.start()
    log.write([exchange(tran_id="shown")])
    log.reopen()
    log.stop()
    assert json.loads(capsys.readouterr().out)["tran_id"] == "shown"
    print("still open")  # noqa: T201 - that it can be is the fact
