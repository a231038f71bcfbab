"""Messages and sockets between a parent and its child."""

import asyncio
import socket

import pytest

from relay.infra.process.control_channel import MAX_BYTES, ChannelBroken, ControlChannel, receive_start, send_start


@pytest.fixture
async def pair():
    ends = socket.socketpair()
    channels = [await ControlChannel.open(end) for end in ends]
    yield channels
    for channel in channels:
        channel.close()


@pytest.mark.parametrize("content", [b"", b"status 3\nabc\n", b"x" * 1_000_000])
async def test_a_message_arrives_as_sent(pair, content):
    ours, theirs = pair
    ours.send("metrics", content)
    ours.send("next")
    assert await theirs.receive() == ("metrics", content)
    assert await theirs.receive() == ("next", b"")


async def test_flush_waits_until_everything_is_sent(pair):
    ours, theirs = pair
    ours.send("metrics", b"x" * 4_000_000)
    flushing = asyncio.create_task(ours.flush())
    await asyncio.sleep(0)
    assert not flushing.done()
    await theirs.receive()
    await flushing


async def test_flush_of_a_closed_channel_is_an_os_error(pair):
    ours, _ = pair
    ours.close()
    with pytest.raises(OSError, match="closed"):
        await ours.flush()


async def test_the_end_of_the_other_side_is_none(pair):
    ours, theirs = pair
    ours.send("last", b"x")
    ours.close()
    assert await theirs.receive() == ("last", b"x")
    assert await theirs.receive() is None
    theirs.close()
    theirs.send("late")  # does nothing


@pytest.mark.parametrize("sent", [b"status\n", b"status x\n", b"a" * 65 + b" 1\n", b"status %d\n" % (MAX_BYTES + 1)])
async def test_other_bytes_are_no_message(sent):
    raw, end = socket.socketpair()
    with raw:
        channel = await ControlChannel.open(end)
        raw.sendall(sent)
        with pytest.raises(ChannelBroken):
            await channel.receive()
        channel.close()


@pytest.mark.parametrize("sent", [b"status", b"status 4\nabc"])
async def test_a_cut_message_is_the_end(sent):
    raw, end = socket.socketpair()
    channel = await ControlChannel.open(end)
    with raw:
        raw.sendall(sent)
    assert await channel.receive() is None
    channel.close()


def test_a_start_brings_sockets_that_outlive_those_of_the_parent():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
            addresses = [first.getsockname(), second.getsockname()]
            send_start(ours, b"content", [first, second])
        content, sockets = receive_start(theirs)
        assert content == b"content"
        assert [each.getsockname() for each in sockets] == addresses
        assert not any(each.get_inheritable() for each in sockets)
        for each in sockets:
            socket.create_connection(each.getsockname()).close()
            each.close()
