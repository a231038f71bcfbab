import stat

from mydata_sandbox.credentials.secret_files import write_secret


def test_only_the_owner_can_read_a_secret(tmp_path):
    file = tmp_path / "key"
    write_secret(file, b"one")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"one", 0o600)


def test_a_readable_old_file_is_replaced(tmp_path):
    file = tmp_path / "key"
    file.write_bytes(b"a longer one")
    file.chmod(0o644)
    write_secret(file, b"one")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"one", 0o600)


def test_the_target_of_a_link_is_not_written(tmp_path):
    other, file = tmp_path / "other", tmp_path / "key"
    other.write_bytes(b"dear")
    file.symlink_to(other)
    write_secret(file, b"one")
    assert (other.read_bytes(), file.read_bytes(), file.is_symlink()) == (b"dear", b"one", False)
