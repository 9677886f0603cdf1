from __future__ import annotations

import os
import socket
import threading
from contextlib import closing, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.sandbox.inside import channel
from evalharness.sandbox.inside.channel import BadFrame, Receiver

LIMIT = 1000


@contextmanager
def receiving(packets, limit=LIMIT):
    """A receiver that reads exactly ``packets``, one at a time, and then the end."""
    mine, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with mine:
        with closing(theirs):
            for packet in packets:
                theirs.send(packet)
        yield Receiver(mine.fileno(), limit)


def frame(payload):
    return len(payload).to_bytes(4, "little") + payload


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=60) | st.binary(min_size=250, max_size=600), max_size=6), st.data())
def test_frames_arrive_whole_however_they_are_cut(payloads, data):
    stream = b"".join(map(frame, payloads))
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(stream) - 1)), max_size=20)))
    packets = [stream[i:j] for i, j in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    with receiving([packet for packet in packets if packet]) as receiver:
        assert [receiver.receive() for _ in payloads] == payloads
        assert receiver.receive() is None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_what_is_sent_is_received(payloads):
    mine, theirs = os.pipe()
    try:
        for payload in payloads:
            channel.send(theirs, payload)
        os.close(theirs)
        receiver = Receiver(mine, 1 << 20)
        assert [receiver.receive() for _ in payloads] == payloads
        assert receiver.receive() is None
    finally:
        os.close(mine)


def test_a_frame_larger_than_the_sockets_buffer_arrives_whole():
    payload = os.urandom(1 << 20)
    mine, theirs = socket.socketpair()
    with mine, theirs:
        sender = threading.Thread(target=channel.send, args=(theirs.fileno(), payload))
        sender.start()
        assert Receiver(mine.fileno(), 1 << 21).receive() == payload
        sender.join()


@pytest.mark.parametrize("size", [LIMIT - 4, LIMIT - 3, (1 << 32) - 1])
def test_a_length_above_the_limit_is_refused_before_its_bytes_are_there(size, golden_text):
    with receiving([size.to_bytes(4, "little"), b"x" * min(size, LIMIT)]) as receiver:
        if size + 4 <= LIMIT:
            assert receiver.receive() == b"x" * size
        else:
            with pytest.raises(BadFrame) as error:
                receiver.receive()
            golden_text(error)


@pytest.mark.parametrize("cut", range(1, len(frame(b"text"))))
def test_an_end_inside_a_frame_is_no_end(cut, golden_text):
    with receiving([frame(b"text")[:cut]]) as receiver, pytest.raises(BadFrame) as error:
        receiver.receive()
    golden_text(error)


def test_an_end_after_a_frame_is_one():
    with receiving([frame(b"text")]) as receiver:
        assert (receiver.receive(), receiver.receive()) == (b"text", None)


def test_an_empty_frame_is_not_the_end():
    with receiving([frame(b"")]) as receiver:
        assert (receiver.receive(), receiver.receive()) == (b"", None)


def test_sending_to_nobody_is_an_error():
    mine, theirs = socket.socketpair()
    mine.close()
    with theirs, pytest.raises(OSError, match="Broken pipe"):
        channel.send(theirs.fileno(), b"text")
