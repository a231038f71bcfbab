"""Who finds no room learns nothing of those who wait."""

from relay.domain.queue_full import QueueFull


def test_a_crowd_says_nothing_of_who_waits():
    assert str(QueueFull()) == ""
