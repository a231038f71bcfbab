import json
import os

import pytest

from relay.infra.records import access_log
from relay.infra.records.access_log import AccessLog, format_records


@pytest.fixture
def path(tmp_path):
    return tmp_path / "access.log"


@pytest.fixture
def log(path):
    access_log_ = AccessLog(str(path), max_lines=3)
    access_log_.start()
    yield access_log_
    access_log_.stop()


def records(path):
    return [json.loads(text) for text in path.read_text().splitlines()]


def test_records_without_room_are_counted_as_lost(path, exchange):
    log = AccessLog(str(path), max_lines=3)
    log.write([exchange(tran_id=str(number)) for number in range(2)])
    log.write([exchange(tran_id=str(number)) for number in range(2, 6)])
    assert log.lost == 3
    log.start()
    log.stop()
    assert [record["tran_id"] for record in records(path)] == ["0", "1", "2"]
    assert (log.lost, log.written) == (3, 3)


def test_lines_are_written_once_while_others_are_formatted(log, path, exchange, monkeypatch):
    def interrupted(exchanges):
        while not log.written:  # the thread writes the first record meanwhile
            os.sched_yield()
        return format_records(exchanges)

    log.write([exchange(tran_id="0")])
    monkeypatch.setattr(access_log, "format_records", interrupted)
    log.write([exchange(tran_id="1"), exchange(tran_id="2")])
    log.stop()
    assert [record["tran_id"] for record in records(path)] == ["0", "1", "2"]


def test_a_full_disk_loses_its_lines_and_logs_once(exchange, caplog):
    log = AccessLog("/dev/full", max_lines=10)
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
    assert [record["tran_id"] for record in records(path)] == ["new"]
    assert [record["tran_id"] for record in records(renamed)] == ["old"]


def test_the_old_file_stays_when_the_new_one_fails(tmp_path, exchange, caplog):
    folder = tmp_path / "logs"
    folder.mkdir()
    log = AccessLog(str(folder / "access.log"), max_lines=10)
    log.start()
    moved = folder.rename(tmp_path / "moved")
    log.reopen()
    log.write([exchange(tran_id="kept")])
    log.stop()
    assert [record["tran_id"] for record in records(moved / "access.log")] == ["kept"]
    assert caplog.messages == [
        f"access log not reopened, the old file stays: path={folder}/access.log reason=No such file or directory"
    ]


def test_a_stop_writes_waiting_lines(log, path, exchange):
    log.write([exchange(tran_id="last")])
    log.stop()
    assert [record["tran_id"] for record in records(path)] == ["last"]


def test_a_missing_folder_is_reported_at_the_start(tmp_path):
    with pytest.raises(FileNotFoundError):
        AccessLog(str(tmp_path / "nowhere" / "access.log"), max_lines=1).start()


def test_stdout_is_written_and_stays_open(capfd, exchange):
    log = AccessLog("stdout", max_lines=10)
    log.start()
    log.write([exchange(tran_id="shown")])
    log.reopen()
    log.stop()
    assert json.loads(capfd.readouterr().out)["tran_id"] == "shown"
    print("still open")  # noqa: T201 - it must be possible
