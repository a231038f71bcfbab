"""What waits on disk: whole or not at all, inherited once, never from the living."""

import errno
import itertools
import os
import shutil
import stat
from pathlib import Path

import pytest

from relay.domain.statistics import Batch, Line, Pulse
from relay.infra.statistics.spool import Found, Spool

LINE = Line("20261122", "00", "ZBAA000001", "ZOPA000001", "SVC1", "2", "BA01", "200_00000")


def batch(name, count=1):
    return Batch(name, {LINE: count, LINE._replace(outcome="400_40001"): 2}, {"ZBAA000001": Pulse(5, 6, 1)})


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def spool(folder):
    """Makes the spool of one more process."""
    numbers = itertools.count(1)
    made = []

    def make():
        made.append(Spool(folder, lambda: f"process-{next(numbers)}"))
        return made[-1]

    yield make
    for one in made:
        one.close()


def files(folder, pattern="*.jsonl"):
    return sorted(folder.glob(f"*/{pattern}"))


def test_what_a_process_left_is_inherited_with_its_ids_and_in_order(spool):
    former = spool()
    former.keep([batch("one"), batch("two", 7)])
    former.keep([batch("three")])
    former.close()
    assert spool().inherit() == Found([batch("one"), batch("two", 7), batch("three")])


def test_nobody_inherits_from_the_living_and_only_one_from_the_dead(spool):
    former, living = spool(), spool()
    former.keep([batch("dead")])
    living.keep([batch("alive")])
    former.close()
    assert [spool().inherit().batches for _ in range(2)] == [[batch("dead")], []]


def test_a_file_goes_when_all_in_it_is_in_the_ledger_and_the_folder_at_the_end(spool, folder):
    one = spool()
    one.keep([batch("one"), batch("two")])
    one.keep([batch("three")])
    counts = []
    for done in ("one", "two", "three"):
        one.done(done)
        counts.append(len(files(folder)))
    one.close()
    assert (counts, list(folder.iterdir())) == ([2, 1, 0], [])


def test_an_inherited_folder_goes_with_its_last_batch(spool, folder):
    former, heir = spool(), spool()
    former.keep([batch("one")])
    former.close()
    heir.inherit()
    heir.done("one")
    assert list(folder.iterdir()) == []


def test_what_others_stand_in_the_place_of_does_not_count_though_its_file_came_back(spool, folder):
    one = spool()
    one.keep([batch("first"), batch("a")])
    one.keep([batch("b")])
    kept = {path: path.read_bytes() for path in files(folder)}
    one.keep([batch("a and b", 2)], instead_of=["a", "b"])
    for path, text in kept.items():
        path.write_bytes(text)
    one.close()
    assert [found.batch_id for found in spool().inherit().batches] == ["first", "a and b"]


def test_a_younger_file_stays_while_an_older_one_does(spool, folder):
    one = spool()
    one.keep([batch("first"), batch("a")])
    one.keep([batch("a again")], instead_of=["a"])
    one.done("a again")
    assert len(files(folder)) == 2
    one.done("first")
    assert files(folder) == []


HARMS = {
    "cut": lambda text: text[:-9],
    "flipped": lambda text: text.replace(b'",7]', b'",8]'),
    "fewer": lambda text: b"\n".join(text.split(b"\n")[:-2]),
    "emptied": lambda _: b"",
    "other": lambda _: b"[]\n",
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_a_broken_file_is_set_aside_and_told_and_nothing_of_it_is_read(spool, folder, harm):
    former = spool()
    for name in ("one", "two"):
        former.keep([batch(name, 7), batch(f"{name} more", 7)])
    former.close()
    first = files(folder)[0]
    first.write_bytes(harm(first.read_bytes()))
    heir = spool()
    assert heir.inherit() == Found([batch("two", 7), batch("two more", 7)], [first.with_suffix(".bad")])
    heir.done("two")
    heir.done("two more")
    heir.close()
    assert [path.name for path in files(folder, "*.bad")] == [first.with_suffix(".bad").name]
    assert spool().inherit() == Found()


def test_only_its_owner_reads_it_and_it_holds_no_draft(spool, folder):
    spool().keep([batch("one")])
    (path,) = files(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(one.name for one in path.parent.iterdir()) == [path.name, "lock"]


def test_a_disk_that_is_full_is_said_and_changes_nothing(spool, folder, monkeypatch):
    one = spool()
    one.keep([batch("one")])

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            one.keep([batch("two")], instead_of=["one"])
    assert len(files(folder, "*")) == 2
    one.close()
    assert spool().inherit() == Found([batch("one")])


def test_a_file_that_cannot_be_removed_is_said_and_removed_the_next_time(spool, folder, monkeypatch):
    one = spool()
    one.keep([batch("one")])
    one.keep([batch("two")])

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", forbidden)
        with pytest.raises(PermissionError):
            one.done("one")
    one.done("two")
    assert files(folder) == []


def test_a_spool_that_is_not_there_or_vanishes_holds_nothing(spool, folder, monkeypatch):
    assert spool().inherit() == Found()
    former = spool()
    former.keep([batch("one")])
    former.close()
    real = os.open

    def vanishing(path, *how, **more):
        monkeypatch.setattr(os, "open", real)  # rmtree opens folders itself
        shutil.rmtree(folder)
        return real(path, *how, **more)

    monkeypatch.setattr(os, "open", vanishing)
    assert spool().inherit() == Found()


@pytest.fixture
def unreadable(monkeypatch):
    """Files that the disk does not give, by path; taken out, they can be read again."""
    paths, real = set(), Path.read_bytes

    def read(path):
        if path in paths:
            raise OSError(errno.EIO, "Input/output error")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read)
    return paths


@pytest.fixture
def left(spool, folder):
    """Two folders of processes that are no more, three files in the first, one in the second; their files."""
    for names in (("a", "b", "c"), ("d",)):
        former = spool()
        for name in names:
            former.keep([batch(name)])
        former.close()
    return files(folder)


def names(found):
    return [one.batch_id for one in found.batches]


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_set_aside_and_all_else_is_found(spool, left, make, at):
    left[at].unlink()
    make(left[at])
    found = spool().inherit()
    assert (names(found), found.unread) == (list("abcd"[:at] + "abcd"[at + 1 :]), {})
    assert (found.broken, found.broken[0].exists()) == ([left[at].with_suffix(".bad")], True)


def test_what_cannot_be_read_is_told_and_all_younger_is_found_and_it_too_once_it_can(spool, left, unreadable):
    unreadable.add(left[0])
    heir = spool()
    for expected in (["b", "c", "d"], [], []):
        found = heir.inherit()
        assert (names(found), found.broken, found.unread) == (expected, [], {left[0]: "Input/output error"})
    unreadable.clear()
    assert heir.inherit() == Found([batch("a")])
    assert heir.inherit() == Found()
    for name in "abcd":
        heir.done(name)
    assert not left[0].parent.exists()


def test_what_is_older_waits_one_turn_for_what_may_hide_it(spool, left, unreadable):
    unreadable.add(left[2])
    heir = spool()
    assert heir.inherit() == Found([batch("d")], [], {left[2]: "Input/output error"})
    assert heir.inherit() == Found([batch("a"), batch("b")], [left[2].with_suffix(".bad")])
    unreadable.clear()
    assert heir.inherit() == Found()


def test_what_is_older_waits_on_where_nothing_can_be_set_aside(spool, left, unreadable, monkeypatch):
    unreadable.add(left[2])
    heir = spool()
    monkeypatch.setattr(Path, "rename", forbidden)
    assert [names(heir.inherit()) for _ in range(3)] == [["d"], [], []]
    unreadable.clear()
    assert names(heir.inherit()) == ["a", "b", "c"]


@pytest.mark.parametrize("at", [0, 1])
def test_nothing_counts_twice_though_a_file_is_read_late(spool, folder, unreadable, at):
    former = spool()
    former.keep([batch("first"), batch("a")])
    former.keep([batch("b and a")], instead_of=["a"])
    former.close()
    late = files(folder)[at]
    unreadable.add(late)
    heir, found = spool(), []
    for _ in range(2):
        if found:
            unreadable.clear()
        found += names(heir.inherit()) or [""]
        for name in found:
            heir.done(name)
    assert sorted(filter(None, found)) == ["b and a", "first"]
    assert list(folder.iterdir()) == []


def forbidden(*_, **__):
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_broken_file_that_keeps_its_name_is_told_once_and_read_no_more(spool, left, monkeypatch):
    left[1].write_bytes(b"")
    heir = spool()
    monkeypatch.setattr(Path, "rename", forbidden)
    found = heir.inherit()
    assert (names(found), found.broken, found.unread) == (["a", "c", "d"], [left[1]], {})
    assert heir.inherit() == Found()


def test_a_folder_whose_lock_cannot_be_taken_is_told_and_the_others_are_found(spool, left):
    lock = left[0].parent / "lock"
    lock.unlink()
    lock.mkdir()
    heir = spool()
    assert heir.inherit() == Found([batch("d")], [], {left[0].parent: "Is a directory"})
    lock.rmdir()
    assert names(heir.inherit()) == ["a", "b", "c"]


def test_a_folder_that_cannot_be_listed_is_told_and_the_others_are_found(spool, folder, left, monkeypatch):
    blocked, real = {left[0].parent}, Path.iterdir

    def listed(path):
        if path in blocked:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "iterdir", listed)
    heir = spool()
    assert heir.inherit() == Found([batch("d")], [], {left[0].parent: "Permission denied"})
    blocked.clear()
    assert names(heir.inherit()) == ["a", "b", "c"]
    blocked.update([folder, left[0].parent])
    assert heir.inherit() == Found([], [], dict.fromkeys((left[0].parent, folder), "Permission denied"))


def test_a_spool_that_is_no_folder_is_told(spool, folder):
    folder.write_text("")
    assert spool().inherit() == Found([], [], {folder: "Not a directory"})


def test_a_stray_file_beside_the_folders_is_nothing(spool, folder, left):
    (folder / "README").write_text("")
    assert names(spool().inherit()) == list("abcd")


def test_who_dies_meanwhile_is_inherited_the_next_time(spool):
    heir, living = spool(), spool()
    heir.keep([batch("own")])
    living.keep([batch("theirs")])
    assert heir.inherit() == Found()
    living.close()
    assert heir.inherit() == Found([batch("theirs")])
    assert heir.inherit() == Found()


def test_a_file_that_cannot_be_removed_keeps_nothing_else_from_going(spool, folder, left, monkeypatch):
    heir, real = spool(), Path.unlink
    heir.inherit()

    def unlinked(path, **how):
        if path == left[0]:
            raise PermissionError(errno.EACCES, "Permission denied")
        real(path, **how)

    monkeypatch.setattr(Path, "unlink", unlinked)
    for name in "abcd":
        with pytest.raises(PermissionError):
            heir.done(name)
    assert files(folder) == [left[0]]
