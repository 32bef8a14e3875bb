import asyncio

import grpc
import pytest
from gateway import until

from exgate_handler import Handler, Properties, contract
from exgate_handler.result import OK


def created(conn, id, seq=1, **fields):
    return {"conn": conn, "seq": seq, "created": {"id": id, **fields}}


def data(conn, seq, text):
    return {"conn": conn, "seq": seq, "bytes": text.encode()}


async def test_events_and_their_acknowledgements(serve, recorder):
    session = await (await serve(recorder)).session()
    assert session.hello.version == 1
    assert session.hello.program == "Recorded"
    messages = {"messages": [{"topic": "t", "payload": b"1"}]}
    await session.send(created(7, "a"), data(7, 2, "x"), {"conn": 7, "seq": 3, "messages": messages})
    await session.send({"conn": 7, "seq": 4, "timer_timeout": {}}, {"conn": 7, "seq": 5, "drain": {}}, {"conn": 7, "seq": 6})
    await session.send({"conn": 7, "seq": 7, "closed": {"reason": "normal"}}, data(7, 8, "late"), data(9, 1, "foreign"))
    acked = 0
    while acked < 7:
        acked = max([acked] + [command.ack for command in (await session.receive()).commands])
    assert recorder.events == ["a created TCP ", "a x", "a t=1", "a timer KEEPALIVE", "a drain", "a closed normal"]


async def test_an_ack_follows_the_commands_of_its_callback(serve, recorder):
    session = await (await serve(recorder)).session()
    await session.send(created(1, "a"))
    assert await session.commands(1) == ["conn: 1 ack: 1"]
    await session.send(data(1, 2, "send"))
    sent = await session.commands(1)
    if sent == ['conn: 1 send: "answer"']:  # Python before 3.11 runs the callback in a task of its own
        sent = ['conn: 1 ack: 2 send: "answer"'] if await session.commands(1) == ["conn: 1 ack: 2"] else []
    assert sent == ['conn: 1 ack: 2 send: "answer"']


async def test_a_callback_waits_for_a_result(serve, recorder):
    session = await (await serve(recorder)).session()
    await session.send(created(1, "a"), data(1, 2, "publish"), data(1, 3, "behind"))
    assert await session.commands(2) == ["conn: 1 ack: 1", 'conn: 1 token: 1 publish { topic: "t" qos: 1 payload: "x" }']
    await session.send({"conn": 1, "result": {"token": 99}}, {"conn": 1, "result": {"token": 1, "code": 5, "message": "no"}})
    await until(lambda: recorder.events[-1:] == ["a behind"])
    assert recorder.events[1:] == ["a published PERMISSION_DENY", "a publish", "a behind"]


async def test_timers(serve, recorder):
    session = await (await serve(recorder)).session()
    await session.send(created(1, "a"), data(1, 2, "alarm"))
    assert await session.commands(2) == ["conn: 1 ack: 1", "conn: 1 token: 1 set_timer { id: 3 ms: 250 }"]
    await session.send({"conn": 1, "result": {"token": 1}})
    assert await session.commands(1) == ["conn: 1 token: 2 set_timer { id: 3 ms: -1 }"]
    await session.send({"conn": 1, "result": {"token": 2}}, {"conn": 1, "seq": 3, "alarm": {"id": 3}})
    await until(lambda: recorder.events[-1:] == ["a alarm 3"])
    assert recorder.events[1:3] == [f"a set {OK}", "a cancelled SUCCESS"]


async def test_timers_of_an_older_gateway(serve, recorder):
    session = await (await serve(recorder)).session(features=[])
    await session.send(created(1, "a"), data(1, 2, "alarm"))
    await until(lambda: recorder.events[-1:] == ["a alarm"])
    assert "the gateway has no timers: it needs a newer version" in recorder.events[1]


async def test_state(serve, recorder):
    session = await (await serve(recorder)).session()
    assert session.hello.features == ["state", "properties"]
    await session.send(created(1, "a"), data(1, 2, "login"), data(1, 3, "save"))
    await session.commands(2)
    await session.send({"conn": 1, "result": {"token": 1, "state": b"7"}})
    assert (await session.commands(2))[1] == 'conn: 1 token: 2 save_state { state: "8" }'
    await session.send({"conn": 1, "result": {"token": 2}})
    await until(lambda: recorder.events[-1:] == ["a save"])
    assert recorder.events[1:] == ["a state b'7'", "a login", f"a saved {OK}", "a save"]


async def test_state_of_an_older_gateway(serve, recorder):
    session = await (await serve(recorder)).session(features=[])
    assert session.hello.features == []
    await session.send(created(1, "a"), data(1, 2, "save"))
    await until(lambda: recorder.events[-1:] == ["a save"])
    assert "the gateway keeps no state: it needs a newer version" in recorder.events[1]


class Requester(Handler):
    """Publishes with properties, and answers requests."""

    events = []

    async def on_socket_created(self, info):
        self.events.append(f"path {info.property('path')} of {len(info.properties)}, {info.property('other')!r}")

    async def on_received_bytes(self, data):
        properties = Properties(True, 60, "text/plain", "a", b"7", (("k", "v"),))
        self.events.append(f"published {await self.conn.publish_with('t', data, properties, 1)}")

    async def on_received_messages(self, messages):
        for message in messages:
            self.events.append(f"{message.topic} {message.properties and message.properties.user}")
            self.events.append(f"answered {(await self.conn.answer(message, message.payload, 1)).code.name}")


async def test_properties(serve):
    Requester.events = []
    session = await (await serve(Requester)).session()
    properties = [{"name": "path", "value": "/ws"}, {"name": "host", "value": "h"}]
    await session.send(created(1, "a", properties=properties), data(1, 2, "x"))
    assert await session.commands(2) == [
        "conn: 1 ack: 1",
        'conn: 1 token: 1 publish { topic: "t" qos: 1 payload: "x" properties { retain: true expiry: 60 content_type: "text/plain"'
        ' response_topic: "a" correlation: "7" user { name: "k" value: "v" } } }',
    ]
    messages = {
        "messages": [{"topic": "plain"}, {"topic": "asks", "payload": b"?"}],
        "properties": {1: {"response_topic": "answers", "correlation": b"c", "user": [{"name": "k", "value": "1"}]}},
    }
    await session.send({"conn": 1, "result": {"token": 1}}, {"conn": 1, "seq": 3, "messages": messages})
    answer = 'conn: 1 token: 2 publish { topic: "answers" qos: 1 payload: "?" properties { correlation: "c" } }'
    assert await session.commands(2) == ["conn: 1 ack: 2", answer]
    await session.send({"conn": 1, "result": {"token": 2}})
    await until(lambda: len(Requester.events) == 6)
    assert Requester.events == [
        "path /ws of 2, ''",
        f"published {OK}",
        "plain None",
        "answered REQUIRED_PARAMS_MISSED",
        "asks (('k', '1'),)",
        "answered SUCCESS",
    ]


async def test_properties_of_an_older_gateway(serve):
    Requester.events = []
    session = await (await serve(Requester)).session(features=["state"])
    assert session.hello.features == ["state"]
    await session.send(created(1, "a"), data(1, 2, "x"))
    await until(lambda: len(Requester.events) == 2)
    assert "the gateway has no properties: it needs a newer version" in Requester.events[1]


async def test_one_that_waits_does_not_delay_others(serve, recorder):
    gate = recorder.gates[b"wait"] = asyncio.Event()
    session = await (await serve(recorder)).session()
    await session.send(created(1, "a"), data(1, 2, "wait"), data(1, 3, "behind"), created(2, "b"), data(2, 2, "beside"), ping=42)
    await until(lambda: "b beside" in recorder.events)
    frame = await session.receive()
    assert frame.pong == 42
    gate.set()
    await until(lambda: recorder.events[-1:] == ["a behind"])


async def test_a_failed_callback_closes_its_connection(serve, recorder):
    session = await (await serve(recorder)).session()
    await session.send(created(1, "a"), data(1, 2, "fail"))
    assert await session.commands(2) == ["conn: 1 ack: 1", "conn: 1 ack: 2 close { }"]


async def test_a_callback_that_takes_too_long(serve, recorder):
    recorder.gates[b"wait"] = asyncio.Event()
    session = await (await serve(recorder)).session(call_timeout_ms=30)
    await session.send(created(1, "a"), data(1, 2, "wait"), {"conn": 1, "seq": 3, "closed": {"reason": "handler_timeout"}})
    await until(lambda: recorder.events[-1:] == ["a closed handler_timeout"])


async def test_a_stream_that_ends(serve, recorder):
    gateway = await serve(recorder)
    session = await gateway.session()
    await session.send(created(1, "a"), data(1, 2, "publish"), data(1, 3, "behind"))
    await session.commands(2)
    session.call.cancel()
    await until(lambda: recorder.events[-1:] == ["a closed stream_lost"])
    assert recorder.events[1:-1] == ["a published CONN_PROCESS_NOT_ALIVE", "a publish"]
    again = await gateway.session()
    await again.send(created(5, "a", 0, resumed=True, clientinfo={"clientid": "c1"}), data(5, 2, "publish"))
    await again.commands(1)
    assert recorder.events[-1:] == ["a resumed c1"]


async def test_calls_after_the_end(serve):
    conns, results = [], []

    class Keeper(Handler):
        async def on_socket_created(self, info):
            conns.append(self.conn)

        async def on_socket_closed(self, reason):
            results.append((await self.conn.send(b"x")).code.name)

    session = await (await serve(Keeper)).session()
    await session.send(created(1, "a"), {"conn": 1, "seq": 2, "closed": {"reason": "normal"}})
    await until(lambda: results == ["SUCCESS"])
    await session.commands(1)
    assert (await conns[0].publish("t", b"")).code.name == "CONN_PROCESS_NOT_ALIVE"


async def test_large_and_many(serve):
    class Echo(Handler):
        async def on_received_bytes(self, data):
            for _ in range(100):
                await self.conn.send(data)

    session = await (await serve(Echo)).session()
    await session.send(created(1, "a"), {"conn": 1, "seq": 2, "bytes": bytes(100_000)})
    commands, frames = [], 0
    while not commands or commands[-1].ack != 2:
        frame = await session.receive()
        commands += frame.commands
        frames += 1
        assert frame.ByteSize() < 2 << 20
    assert sum(len(command.send) for command in commands) == 10_000_000
    assert frames >= 9


async def test_no_hello(serve, recorder):
    gateway = await serve(recorder)
    to, back = contract.GatewayFrame.SerializeToString, contract.HandlerFrame.FromString
    call = gateway.channel.stream_stream(f"/{contract.SESSION_SERVICE}/Session", to, back)()
    await call.write(contract.GatewayFrame(events=[created(1, "a")]))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call.read()
    assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_a_server_that_stops(serve, recorder):
    gateway = await serve(recorder)
    session = await gateway.session()
    await session.send(created(1, "a"), data(1, 2, "publish"))
    await session.commands(2)
    stopped = asyncio.create_task(gateway.server.stop(10))
    await asyncio.sleep(0)  # stop begins
    await session.send(data(1, 3, "not taken"), {"conn": 1, "result": {"token": 1}})
    assert await session.commands(1) == ["conn: 1 ack: 2"]
    assert await session.call.read() is grpc.aio.EOF
    await stopped
    assert recorder.events == ["a created TCP ", "a published SUCCESS", "a publish", "a closed stream_lost"]
