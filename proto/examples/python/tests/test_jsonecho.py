import json

import pytest

from exgate_handler import Code, Conn, Message, Result, TimerType
from exgate_handler.result import OK
from jsonecho.protocol import JSONEcho
from jsonecho.stream import MAX_FRAME, JSONStream

CONNECT = '{"type":1,"clientinfo":{"clientid":"c1","keepalive":60},"password":"p"}'
DEEP = '{"a":' * 9000 + "}" * 9000
REST = '{"type":5,"topic":"t/#","qos":1} {"type":3,"topic":"t","qos":2,"payload":"x}\\"{"}\n{"type":10,"topic":"r"}{"type":7,"topic":"t/#"}'


class Recorded(Conn):
    """A connection that writes down what is asked of it."""

    def __init__(self, code=Code.SUCCESS):
        self.id = "a"
        self.calls = []
        self.result = OK if code == Code.SUCCESS else Result(code, "no")

    def note(self, *call):
        self.calls.append(" ".join(map(str, call)))
        return self.result

    async def send(self, data):
        return self.note("send", data.decode())

    async def close(self):
        return self.note("close")

    async def authenticate(self, client, password=""):
        return self.note("authenticate", client.clientid, password)

    async def start_timer(self, interval, type=TimerType.KEEPALIVE):
        return self.note("timer", interval)

    async def publish(self, topic, payload, qos=0):
        return self.note("publish", topic, qos, payload.decode())

    async def subscribe(self, topic, qos=0):
        return self.note("subscribe", topic, qos)

    async def unsubscribe(self, topic):
        return self.note("unsubscribe", topic)

    async def raw_publish(self, topic, payload, qos=0):
        return self.note("raw publish", topic, qos)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
async def test_conversation(size):
    conn = Recorded()
    echo = JSONEcho(conn)
    conversation = (CONNECT + REST).encode()
    for begin in range(0, len(conversation), size):
        await echo.on_received_bytes(conversation[begin : begin + size])
    await echo.on_received_messages([Message("t", b"\xff", 1, "1", "n", "c", 0)])
    await echo.on_received_bytes(b'{"type":9}{"type":3}')
    await echo.on_received_messages([Message("t", b"late", 1, "1", "n", "c", 0)])
    assert conn.calls == [
        "authenticate c1 p",
        "timer 60",
        'send {"type":2,"code":0}',
        "subscribe t/# 1",
        'send {"type":6,"code":0}',
        'publish t 2 x}"{',
        'send {"type":4,"code":0}',
        "raw publish r 0",
        'send {"type":4,"code":0}',
        "unsubscribe t/#",
        'send {"type":8,"code":0}',
        'send {"type":3,"topic":"t","qos":1,"payload":"\ufffd"}',
        "close",
    ]


async def test_refused_login():
    conn = Recorded(Code.PERMISSION_DENY)
    await JSONEcho(conn).on_received_bytes((CONNECT + REST).encode())
    assert conn.calls == ["authenticate c1 p", 'send {"type":2,"code":1}', "close"]


async def test_refused_requests_end():
    conn = Recorded(Code.PERMISSION_DENY)
    await JSONEcho(conn).on_received_bytes(b'{"type":7,"topic":"t"}' * 50)
    assert conn.calls.count('send {"type":8,"code":1}') == 10
    assert conn.calls[-1] == "close"


async def test_timeout():
    conn = Recorded()
    await JSONEcho(conn).on_timer_timeout(TimerType.KEEPALIVE)
    assert conn.calls == ['send {"type":9}', "close"]


@pytest.mark.parametrize("frame", ["[]", "null", "GET / HTTP/1.1", '{"type":}', "{]}", DEEP, '{"type":9}', '{"type":"x"}', "{}", "\x00", '"x"'])
async def test_what_closes(frame):
    conn = Recorded()
    await JSONEcho(conn).on_received_bytes(frame.encode())
    assert conn.calls == ["close"]


@pytest.mark.parametrize("frame", ['{"type":1,"clientinfo":[]}', '{"type":3,"topic":"t","payload":{"a":[]}}', '{"type":3,"payload":"\\ud800"}'])
async def test_what_is_odd(frame):
    conn = Recorded(Code.PARAMS_TYPE_ERROR)
    await JSONEcho(conn).on_received_bytes(frame.encode())
    assert len(conn.calls) >= 2


@pytest.mark.parametrize("piece", ['{"a":[', "{" * 500, '{"' + "\\" * 501])
def test_an_endless_object(piece):
    stream = JSONStream()
    fed = 0
    while not stream.broken:
        assert stream.feed(piece.encode()) == []
        fed += len(piece)
    assert fed < MAX_FRAME + 1000


def test_objects_before_the_break():
    stream = JSONStream()
    assert stream.feed(b'{"a":1}{"b":2}oops') == [{"a": 1}, {"b": 2}]
    assert stream.broken
    assert json.dumps(stream.feed(b"{}")) == "[]"
