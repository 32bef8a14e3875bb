import asyncio

import grpc
import pytest
from gateway import event, until

from exgate_handler import contract


async def test_events_overtake_created(serve, recorder):
    gateway = await serve(recorder)
    data, created = gateway.stream("OnReceivedBytes"), gateway.stream("OnSocketCreated")
    await data.write(event("OnReceivedBytes", conn="a", bytes=b"first"))
    await data.write(event("OnReceivedBytes", conn="a", bytes=b"second"))
    await created.write(event("OnSocketCreated", conn="a"))
    await until(lambda: len(recorder.events) == 3)
    assert recorder.events == ["a created TCP ", "a first", "a second"]


async def test_a_connection_of_another_process(serve, recorder):
    gateway = await serve(recorder)
    data = gateway.stream("OnReceivedBytes")
    await data.write(event("OnReceivedBytes", conn="a", bytes=b"x"))
    await until(lambda: len(recorder.events) == 2)
    assert recorder.events == ["a resumed ?", "a x"]


async def test_order_and_side_by_side(serve, recorder):
    gate = recorder.gates[b"wait"] = asyncio.Event()
    gateway = await serve(recorder)
    await gateway.unary("OnSocketCreated", conn="a")
    await gateway.unary("OnSocketCreated", conn="b")
    data = gateway.stream("OnReceivedBytes")
    for n in range(100):
        await data.write(event("OnReceivedBytes", conn="a", bytes=b"wait" if n == 0 else str(n).encode()))
    await data.write(event("OnReceivedBytes", conn="b", bytes=b"beside"))
    await until(lambda: "b beside" in recorder.events)
    gate.set()
    await data.done_writing()
    assert await data == contract.EmptySuccess()
    assert [e for e in recorder.events if e.startswith("a")][3:] == [f"a {n}" for n in range(1, 100)]


async def test_a_failed_callback_closes_its_connection(serve, recorder):
    gateway = await serve(recorder)
    await gateway.unary("OnSocketCreated", conn="a")
    data = gateway.stream("OnReceivedBytes")
    await data.write(event("OnReceivedBytes", conn="a", bytes=b"fail"))
    await data.write(event("OnReceivedBytes", conn="a", bytes=b"next"))
    await until(lambda: gateway.calls == ['Close conn: "a"'])
    await until(lambda: recorder.events[-1:] == ["a next"])


async def test_a_stream_survives_more_than_it_holds(serve, recorder):
    gateway = await serve(recorder)
    await gateway.unary("OnSocketCreated", conn="a")
    data = gateway.stream("OnReceivedBytes")
    for n in range(3000):
        await data.write(event("OnReceivedBytes", conn="a", bytes=str(n).encode()))
    await data.done_writing()
    await data
    assert recorder.events[1:] == [f"a {n}" for n in range(3000)]


async def test_the_unary_form_of_emqx_4_2(serve, recorder):
    gate = recorder.gates[b"wait"] = asyncio.Event()
    gateway = await serve(recorder)
    service = contract.STREAM_SERVICE
    await gateway.unary("OnSocketCreated", service, conn="a")
    waiting = asyncio.create_task(gateway.unary("OnReceivedBytes", service, conn="a", bytes=b"wait"))
    await until(lambda: recorder.events[-1:] == ["a begins wait"])
    assert not waiting.done()
    gate.set()
    await waiting
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await gateway.unary("OnReceivedBytes", service, conn="a", bytes=b"fail")
    assert error.value.code() == grpc.StatusCode.INTERNAL
    await gateway.unary("OnSocketClosed", service, conn="a", reason="handler_failed")
    assert recorder.events == ["a created TCP ", "a begins wait", "a wait", "a closed handler_failed"]
