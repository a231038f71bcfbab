import json

import pytest

from relay.infra.records import access_log
from relay.infra.records.access_log import AccessLog, line


@pytest.fixture
def path(tmp_path):
    return tmp_path / "access.log"


@pytest.fixture
def log(path):
    """A log whose thread is the test's: it has ended, and `write_queued` does what it did."""
    made = AccessLog(str(path), most=3)
    made.start()
    yield made
    made.stop()


def records(path):
    return [json.loads(one) for one in path.read_text().splitlines()]


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


def test_what_finds_no_room_is_counted_as_lost(path, exchange):
    log = AccessLog(str(path), most=3)
    log.write([exchange(tran_id=str(number)) for number in range(2)])
    log.write([exchange(tran_id=str(number)) for number in range(2, 6)])
    assert log.lost == 3
    log.start()
    log.stop()
    assert [one["tran_id"] for one in records(path)] == ["0", "1", "2"]
    assert (log.lost, log.written) == (3, 3)


def test_a_line_stands_once_though_the_writer_comes_while_lines_are_made(log, path, exchange, monkeypatch):
    def interrupted(made):
        log._writer.write_queued()
        return line(made)

    log.write([exchange(tran_id="0")])
    monkeypatch.setattr(access_log, "line", interrupted)
    log.write([exchange(tran_id="1"), exchange(tran_id="2")])
    log.stop()
    assert [one["tran_id"] for one in records(path)] == ["0", "1", "2"]


def test_a_full_disk_costs_its_lines_and_one_log_line(exchange, caplog):
    log = AccessLog("/dev/full", most=10)
    log.start()
    log.write([exchange(), exchange()])
    log.stop()
    assert (log.lost, log.written) == (2, 0)
    assert caplog.messages == ["access records lost: path=/dev/full reason=No space left on device"]


def test_after_a_rotation_lines_go_to_the_new_file(log, path, exchange):
    log.write([exchange(tran_id="old")])
    renamed = path.rename(path.with_suffix(".1"))
    log.reopen()
    log.write([exchange(tran_id="new")])
    log.stop()
    assert [one["tran_id"] for one in records(path)] == ["new"]
    assert [one["tran_id"] for one in records(renamed)] == ["old"]


def test_the_old_file_stays_when_the_new_one_cannot_be_opened(tmp_path, exchange, caplog):
    folder = tmp_path / "logs"
    folder.mkdir()
    log = AccessLog(str(folder / "access.log"), most=10)
    log.start()
    moved = folder.rename(tmp_path / "moved")
    log.reopen()
    log.write([exchange(tran_id="kept")])
    log.stop()
    assert [one["tran_id"] for one in records(moved / "access.log")] == ["kept"]
    assert caplog.messages == [
        f"access log not reopened, the old file stays: path={folder}/access.log reason=No such file or directory"
    ]


def test_stopping_writes_what_waits(log, path, exchange):
    log.write([exchange(tran_id="last")])
    log.stop()
    assert [one["tran_id"] for one in records(path)] == ["last"]


def test_a_folder_that_is_not_there_is_said_at_the_start(tmp_path):
    with pytest.raises(FileNotFoundError):
        AccessLog(str(tmp_path / "nowhere" / "access.log"), most=1).start()


def test_stdout_is_written_to_and_stays_open(capfd, exchange):
    log = AccessLog("stdout", most=10)
    log.start()
    log.write([exchange(tran_id="shown")])
    log.reopen()
    log.stop()
    assert json.loads(capfd.readouterr().out)["tran_id"] == "shown"
    print("still open")  # noqa: T201 - that it can be is the fact
