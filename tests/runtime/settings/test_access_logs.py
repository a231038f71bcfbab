"""Access logs of a gateway and its workers."""

from relay.runtime.settings.access_logs import list_access_logs


def test_existing_logs_of_workers_are_found(tmp_path):
    log = tmp_path / "access.log"
    assert list_access_logs(log) == [log]
    for name in ("access.2.log", "access.1.log", "access.1.log.1", "other.1.log"):
        (tmp_path / name).touch()
    assert [file.name for file in list_access_logs(log)] == ["access.1.log", "access.2.log"]
    log.touch()
    assert [file.name for file in list_access_logs(log)] == ["access.log", "access.1.log", "access.2.log"]


def test_a_missing_folder_leaves_the_log_of_the_settings(tmp_path):
    log = tmp_path / "none" / "access.log"
    assert list_access_logs(log) == [log]
