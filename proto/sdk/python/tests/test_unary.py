import asyncio

import grpc
import pytest
from gateway import until

from exgate_handler import ClientInfo, Code, Handler, contract

INFO = {"socktype": 1, "peername": {"host": "192.0.2.1", "port": 5}}


async def test_events_of_a_connection(serve, recorder):
    gateway = await serve(recorder)
    await gateway.unary("OnSocketCreated", conn="a", conninfo=INFO)
    await gateway.unary("OnReceivedBytes", conn="a", bytes=b"x")
    await gateway.unary("OnTimerTimeout", conn="a", type=0)
    await gateway.unary("OnReceivedMessages", conn="a", messages=[{"topic": "t", "payload": b"1"}, {"topic": "u", "payload": b"2"}])
    await gateway.unary("OnSocketClosed", conn="a", reason="normal")
    assert recorder.events == ["a created SSL 192.0.2.1", "a x", "a timer KEEPALIVE", "a t=1 u=2", "a closed normal"]


async def test_calls_of_the_adapter(serve):
    class Caller(Handler):
        async def on_received_bytes(self, data):
            client = ClientInfo("c", username="u", mountpoint="m/")
            conn = self.conn
            assert all([await conn.authenticate(client, "p"), await conn.start_timer(30), await conn.publish("t", b"x", 2)])
            assert all([await conn.subscribe("t/#", 1), await conn.unsubscribe("t/#"), await conn.raw_publish("r", b"y")])
            assert all([await conn.send(b"z"), await conn.close()])

    gateway = await serve(Caller, adapter_token="s3")
    await gateway.unary("OnReceivedBytes", conn="a", bytes=b"x")
    assert gateway.calls == [
        'Authenticate conn: "a" clientinfo { clientid: "c" username: "u" mountpoint: "m/" } password: "p"',
        'StartTimer conn: "a" interval: 30',
        'Publish conn: "a" topic: "t" qos: 2 payload: "x"',
        'Subscribe conn: "a" topic: "t/#" qos: 1',
        'Unsubscribe conn: "a" topic: "t/#"',
        'RawPublish topic: "r" payload: "y"',
        'Send conn: "a" bytes: "z"',
        'Close conn: "a"',
    ]
    assert ("authorization", "Bearer s3") in gateway.metadata


async def test_results(serve):
    results = []

    class Caller(Handler):
        async def on_received_bytes(self, data):
            results.append(await self.conn.publish("t", b"x", int(data)))

    gateway = await serve(Caller)
    gateway.codes["Publish"] = Code.PERMISSION_DENY
    await gateway.unary("OnReceivedBytes", conn="a", bytes=b"1")
    await gateway.unary("OnReceivedBytes", conn="a", bytes=b"-1")
    await gateway._server.stop(None)
    await gateway.unary("OnReceivedBytes", conn="a", bytes=b"1")
    assert [r.code for r in results] == [Code.PERMISSION_DENY, Code.PARAMS_TYPE_ERROR, Code.UNKNOWN]
    assert not any(results)
    assert f"calling the adapter at {gateway.adapter}: UNAVAILABLE" in results[2].message


async def test_one_at_a_time_but_side_by_side(serve, recorder):
    gate = recorder.gates[b"wait"] = asyncio.Event()
    gateway = await serve(recorder)
    slow = asyncio.create_task(gateway.unary("OnReceivedBytes", conn="a", bytes=b"wait"))
    await until(lambda: "a begins wait" in recorder.events)
    behind = asyncio.create_task(gateway.unary("OnReceivedBytes", conn="a", bytes=b"behind"))
    await gateway.unary("OnReceivedBytes", conn="b", bytes=b"beside")
    gate.set()
    await asyncio.gather(slow, behind)
    assert recorder.events == ["a resumed ?", "a begins wait", "b resumed ?", "b beside", "a wait", "a behind"]


async def test_a_failed_callback_fails_its_rpc(serve, recorder, caplog):
    gateway = await serve(recorder)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await gateway.unary("OnReceivedBytes", conn="a", bytes=b"fail")
    assert error.value.code() == grpc.StatusCode.INTERNAL
    assert "told to" not in error.value.details()
    assert "on_received_bytes of connection a failed" in caplog.text
    await gateway.unary("OnReceivedBytes", conn="a", bytes=b"goes on")
    assert recorder.events[-1] == "a goes on"


async def test_a_factory_that_fails(serve, recorder):
    def factory(conn):
        if conn.id == "bad":
            raise RuntimeError("no")
        return recorder(conn)

    gateway = await serve(factory)
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.unary("OnSocketCreated", conn="bad")
    await gateway.unary("OnSocketClosed", conn="bad", reason="handler_failed")
    await gateway.unary("OnReceivedBytes", conn="good", bytes=b"x")
    assert recorder.events == ["good resumed ?", "good x"]


async def test_events_after_the_last(serve, recorder):
    gateway = await serve(recorder)
    await gateway.unary("OnSocketClosed", conn="never", reason="normal")
    await gateway.unary("OnSocketCreated", conn="a")
    await gateway.unary("OnSocketClosed", conn="a", reason="normal")
    await gateway.unary("OnReceivedBytes", conn="a", bytes=b"late")
    assert recorder.events == ["a created TCP ", "a closed normal"]


async def test_a_deadline_cancels_the_callback(serve, recorder):
    recorder.gates[b"wait"] = asyncio.Event()
    gateway = await serve(recorder)
    request = dict(contract.methods(contract.UNARY_SERVICE))["OnReceivedBytes"]
    path = f"/{contract.UNARY_SERVICE}/OnReceivedBytes"
    call = gateway.channel.unary_unary(path, request.SerializeToString, contract.EmptySuccess.FromString)
    with pytest.raises(grpc.aio.AioRpcError):
        await call(request(conn="a", bytes=b"wait"), timeout=0.05)
    await gateway.unary("OnReceivedBytes", conn="a", bytes=b"next")
    assert recorder.events == ["a resumed ?", "a begins wait", "a next"]
