"""What waits on disk: whole or not at all, inherited once, never from the living."""

import hashlib
import itertools
import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from relay.domain.statistics import Batch, Line, Pulse
from relay.infra.spool import Spool

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
    assert spool().inherit() == ([batch("one"), batch("two", 7), batch("three")], [])


def test_nobody_inherits_from_the_living_and_only_one_from_the_dead(spool):
    former, living = spool(), spool()
    former.keep([batch("dead")])
    living.keep([batch("alive")])
    former.close()
    assert [spool().inherit()[0] for _ in range(2)] == [[batch("dead")], []]


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
    assert [found.batch_id for found in spool().inherit()[0]] == ["first", "a and b"]


def test_a_younger_file_stays_while_an_older_one_does(spool, folder):
    one = spool()
    one.keep([batch("first"), batch("a")])
    one.keep([batch("a again")], instead_of=["a"])
    one.done("a again")
    assert len(files(folder)) == 2
    one.done("first")
    assert files(folder) == []


def cut(text):
    return text[:-9]


def flipped(text):
    return text.replace(b'",7]', b'",8]')


def fewer(text):
    return b"\n".join(text.split(b"\n")[:-2])


def emptied(_):
    return b""


def other(_):
    return b"[]\n"


@pytest.mark.parametrize("harm", [cut, flipped, fewer, emptied, other])
def test_a_broken_file_is_set_aside_and_told_and_nothing_of_it_is_read(spool, folder, harm):
    former = spool()
    for name in ("one", "two"):
        former.keep([batch(name, 7), batch(f"{name} more", 7)])
    former.close()
    first = files(folder)[0]
    first.write_bytes(harm(first.read_bytes()))
    heir = spool()
    assert heir.inherit() == ([batch("two", 7), batch("two more", 7)], [first.with_suffix(".bad").name])
    heir.done("two")
    heir.done("two more")
    heir.close()
    assert [path.name for path in files(folder, "*.bad")] == [first.with_suffix(".bad").name]
    assert spool().inherit() == ([], [])


@pytest.mark.parametrize(
    "row",
    [
        {"batch_id": "x", "counts": [[*LINE, 0]], "pulses": {}},
        {"batch_id": "x", "counts": [[*LINE, True]], "pulses": {}},
        {"batch_id": "x", "counts": [[*LINE, "1"]], "pulses": {}},
        {"batch_id": "x", "counts": [[*LINE[:-1], 1]], "pulses": {}},
        {"batch_id": "x", "counts": [[*LINE[:-1], None, 1]], "pulses": {}},
        {"batch_id": "x", "counts": [], "pulses": {"a": [1]}},
        {"batch_id": "x", "counts": [], "pulses": []},
        {"batch_id": "x", "pulses": {}},
        [],
    ],
)
def test_what_is_no_batch_is_broken_though_its_checksum_fits(spool, folder, row):
    former = spool()
    former.keep([batch("one")])
    former.close()
    (path,) = files(folder)
    text = json.dumps(row).encode() + b"\n"
    head = json.loads(path.read_bytes().split(b"\n")[0]) | {"sha256": hashlib.sha256(text).hexdigest()}
    path.write_bytes(json.dumps(head).encode() + b"\n" + text)
    assert spool().inherit() == ([], [path.with_suffix(".bad").name])


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
    assert spool().inherit() == ([batch("one")], [])


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
    assert spool().inherit() == ([], [])
    former = spool()
    former.keep([batch("one")])
    former.close()
    real = os.open

    def vanishing(path, *how, **more):
        shutil.rmtree(folder, ignore_errors=True)
        return real(path, *how, **more)

    monkeypatch.setattr(os, "open", vanishing)
    assert spool().inherit() == ([], [])
