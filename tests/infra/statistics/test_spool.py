"""Spooled batches: written atomically, inherited once, never from a living process."""

import errno
import itertools
import os
import shutil
import stat
from pathlib import Path

import pytest

from relay.domain.statistics import Batch, Line, Pulse
from relay.infra.statistics.spool import Recovery, Spool

LINE = Line("20261122", "00", "ZBAA000001", "ZOPA000001", "SVC1", "2", "BA01", "200_00000")


def batch(name, count=1):
    return Batch(name, {LINE: count, LINE._replace(outcome="400_40001"): 2}, {"ZBAA000001": Pulse(5, 6, 1)})


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def spool(folder):
    """Returns a function that makes the spool of one more process."""
    numbers = itertools.count(1)
    made = []

    def make():
        made.append(Spool(folder, lambda: f"process-{next(numbers)}"))
        return made[-1]

    yield make
    for made_spool in made:
        made_spool.close()


def files(folder, pattern="*.jsonl"):
    return sorted(folder.glob(f"*/{pattern}"))


def test_batches_of_a_killed_process_are_inherited_in_order(spool):
    former = spool()
    former.write([batch("one"), batch("two", 7)])
    former.write([batch("three")])
    former.close()
    assert spool().inherit() == Recovery([batch("one"), batch("two", 7), batch("three")])


def test_only_killed_processes_are_inherited_and_only_once(spool):
    former, living = spool(), spool()
    former.write([batch("dead")])
    living.write([batch("alive")])
    former.close()
    assert [spool().inherit().batches for _ in range(2)] == [[batch("dead")], []]


def test_delivered_files_and_empty_folders_are_removed(spool, folder):
    own = spool()
    own.write([batch("one"), batch("two")])
    own.write([batch("three")])
    counts = []
    for name in ("one", "two", "three"):
        own.remove(name)
        counts.append(len(files(folder)))
    own.close()
    assert (counts, list(folder.iterdir())) == ([2, 1, 0], [])


def test_an_inherited_folder_goes_with_its_last_batch(spool, folder):
    former, successor = spool(), spool()
    former.write([batch("one")])
    former.close()
    successor.inherit()
    successor.remove("one")
    assert list(folder.iterdir()) == []


def test_replaced_batches_do_not_count_if_their_file_returns(spool, folder):
    own = spool()
    own.write([batch("first"), batch("a")])
    own.write([batch("b")])
    texts = {path: path.read_bytes() for path in files(folder)}
    own.write([batch("a and b", 2)], replaces=["a", "b"])
    for path, text in texts.items():
        path.write_bytes(text)
    own.close()
    assert [batch_.batch_id for batch_ in spool().inherit().batches] == ["first", "a and b"]


def test_a_newer_file_stays_while_an_older_one_does(spool, folder):
    own = spool()
    own.write([batch("first"), batch("a")])
    own.write([batch("a again")], replaces=["a"])
    own.remove("a again")
    assert len(files(folder)) == 2
    own.remove("first")
    assert files(folder) == []


DAMAGES = {
    "cut": (lambda text: text[:-9], "checksum differs"),
    "flipped": (lambda text: text.replace(b'",7]', b'",8]'), "checksum differs"),
    "fewer": (lambda text: b"\n".join(text.split(b"\n")[:-2]), "checksum differs"),
    "emptied": (lambda _: b"", "invalid head"),
    "other": (lambda _: b"[]\n", "invalid head"),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_a_broken_file_is_set_aside_and_not_read(spool, folder, damage, reason):
    former = spool()
    for name in ("one", "two"):
        former.write([batch(name, 7), batch(f"{name} more", 7)])
    former.close()
    first = files(folder)[0]
    first.write_bytes(damage(first.read_bytes()))
    successor = spool()
    assert successor.inherit() == Recovery([batch("two", 7), batch("two more", 7)], {first.with_suffix(".bad"): reason})
    successor.remove("two")
    successor.remove("two more")
    successor.close()
    assert [path.name for path in files(folder, "*.bad")] == [first.with_suffix(".bad").name]
    assert spool().inherit() == Recovery()


def test_a_file_is_private_and_leaves_no_draft(spool, folder):
    spool().write([batch("one")])
    (path,) = files(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.name, "lock"]


def test_a_full_disk_raises_and_changes_nothing(spool, folder, monkeypatch):
    own = spool()
    own.write([batch("one")])

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            own.write([batch("two")], replaces=["one"])
    assert len(files(folder, "*")) == 2
    own.close()
    assert spool().inherit() == Recovery([batch("one")])


def test_an_unremovable_file_is_removed_the_next_time(spool, folder, monkeypatch):
    own = spool()
    own.write([batch("one")])
    own.write([batch("two")])

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", forbidden)
        with pytest.raises(PermissionError):
            own.remove("one")
    own.remove("two")
    assert files(folder) == []


def test_a_missing_or_vanishing_spool_is_empty(spool, folder, monkeypatch):
    assert spool().inherit() == Recovery()
    former = spool()
    former.write([batch("one")])
    former.close()
    real = os.open

    def vanishing(path, *arguments, **options):
        monkeypatch.setattr(os, "open", real)  # rmtree opens folders itself
        shutil.rmtree(folder)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", vanishing)
    assert spool().inherit() == Recovery()


@pytest.fixture
def unreadable(monkeypatch):
    """Returns a set of unreadable paths; a removed path can be read again."""
    paths, real = set(), Path.read_bytes

    def read(path):
        if path in paths:
            raise OSError(errno.EIO, "Input/output error")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    return paths


@pytest.fixture
def left(spool, folder):
    """Returns the files of two killed processes: three in the first folder, one in the second."""
    for names in (("a", "b", "c"), ("d",)):
        former = spool()
        for name in names:
            former.write([batch(name)])
        former.close()
    return files(folder)


def names(recovered):
    return [batch_.batch_id for batch_ in recovered.batches]


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_other_entries_are_set_aside_and_files_are_read(spool, left, make, at):
    left[at].unlink()
    make(left[at])
    recovered = spool().inherit()
    assert (names(recovered), recovered.unreadable) == (list("abcd"[:at] + "abcd"[at + 1 :]), {})
    assert [*recovered.broken] == [path for path in left[at].parent.iterdir() if path.suffix == ".bad"]


def test_an_unreadable_file_is_reported_and_read_later(spool, left, unreadable):
    unreadable.add(left[0])
    successor = spool()
    for expected in (["b", "c", "d"], [], []):
        read = successor.inherit()
        assert (names(read), read.broken, read.unreadable) == (expected, {}, {left[0]: "Input/output error"})
    unreadable.clear()
    assert successor.inherit() == Recovery([batch("a")])
    assert successor.inherit() == Recovery()
    for name in "abcd":
        successor.remove(name)
    assert not left[0].parent.exists()


def test_older_files_wait_once_for_an_unreadable_one(spool, left, unreadable):
    unreadable.add(left[2])
    successor = spool()
    assert successor.inherit() == Recovery([batch("d")], {}, {left[2]: "Input/output error"})
    broken = {left[2].with_suffix(".bad"): "Input/output error"}
    assert successor.inherit() == Recovery([batch("a"), batch("b")], broken)
    unreadable.clear()
    assert successor.inherit() == Recovery()


def test_older_files_wait_while_nothing_can_be_set_aside(spool, left, unreadable, monkeypatch):
    unreadable.add(left[2])
    successor = spool()
    monkeypatch.setattr(Path, "rename", forbidden)
    assert [names(successor.inherit()) for _ in range(3)] == [["d"], [], []]
    unreadable.clear()
    assert names(successor.inherit()) == ["a", "b", "c"]


@pytest.mark.parametrize("at", [0, 1])
def test_no_batch_counts_twice_when_a_file_is_read_late(spool, folder, unreadable, at):
    former = spool()
    former.write([batch("first"), batch("a")])
    former.write([batch("b and a")], replaces=["a"])
    former.close()
    late = files(folder)[at]
    unreadable.add(late)
    successor, delivered = spool(), []
    for _ in range(2):
        if delivered:
            unreadable.clear()
        delivered += names(successor.inherit()) or [""]
        for name in delivered:
            successor.remove(name)
    assert sorted(filter(None, delivered)) == ["b and a", "first"]
    assert list(folder.iterdir()) == []


def forbidden(*_, **__):
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_broken_file_that_keeps_its_name_is_reported_once(spool, left, monkeypatch):
    left[1].write_bytes(b"")
    successor = spool()
    monkeypatch.setattr(Path, "rename", forbidden)
    assert successor.inherit() == Recovery([batch(name) for name in "acd"], {left[1]: "invalid head"})
    assert successor.inherit() == Recovery()


def test_a_folder_that_cannot_be_locked_stops_no_other(spool, left):
    lock = left[0].parent / "lock"
    lock.unlink()
    lock.mkdir()
    successor = spool()
    assert successor.inherit() == Recovery([batch("d")], {}, {left[0].parent: "Is a directory"})
    lock.rmdir()
    assert names(successor.inherit()) == ["a", "b", "c"]


def test_a_folder_that_cannot_be_listed_stops_no_other(spool, folder, left, monkeypatch):
    blocked, real = {left[0].parent}, Path.iterdir

    def iterdir(path):
        if path in blocked:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    successor = spool()
    assert successor.inherit() == Recovery([batch("d")], {}, {left[0].parent: "Permission denied"})
    blocked.clear()
    assert names(successor.inherit()) == ["a", "b", "c"]
    blocked.update([folder, left[0].parent])
    assert successor.inherit() == Recovery([], {}, dict.fromkeys((left[0].parent, folder), "Permission denied"))


def test_a_spool_that_is_no_folder_is_reported(spool, folder):
    folder.write_text("")
    assert spool().inherit() == Recovery([], {}, {folder: "Not a directory"})


def test_a_stray_file_beside_the_folders_is_ignored(spool, folder, left):
    (folder / "README").write_text("")
    assert names(spool().inherit()) == list("abcd")


def test_a_process_killed_meanwhile_is_inherited_the_next_time(spool):
    successor, living = spool(), spool()
    successor.write([batch("own")])
    living.write([batch("theirs")])
    assert successor.inherit() == Recovery()
    living.close()
    assert successor.inherit() == Recovery([batch("theirs")])
    assert successor.inherit() == Recovery()


def test_an_unremovable_file_stops_no_other_removal(spool, folder, left, monkeypatch):
    successor, real = spool(), Path.unlink
    successor.inherit()

    def unlinked(path, **options):
        if path == left[0]:
            raise PermissionError(errno.EACCES, "Permission denied")
        real(path, **options)

    monkeypatch.setattr(Path, "unlink", unlinked)
    for name in "abcd":
        with pytest.raises(PermissionError):
            successor.remove(name)
    assert files(folder) == [left[0]]
