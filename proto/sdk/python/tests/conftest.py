from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from gateway import FakeGateway

from exgate_handler import ClientInfo, Handler, Server


class Recorder(Handler):
    """Writes down its events. Bytes say what a callback is to do: wait, fail, or call its connection."""

    events: list[str]
    gates: dict[bytes, asyncio.Event]

    def note(self, text) -> None:
        self.events.append(f"{self.conn.id} {text}")

    async def on_socket_created(self, info):
        self.note(f"created {info.socktype.name} {info.peername.host}")

    async def on_socket_resumed(self, info, client):
        self.note(f"resumed {client.clientid if client else '?'}")

    async def on_received_bytes(self, data):
        if data in self.gates:
            self.note(f"begins {data.decode()}")
            await self.gates[data].wait()
        elif data == b"fail":
            raise ValueError("told to")
        elif data == b"publish":
            self.note(f"published {(await self.conn.publish('t', b'x', 1)).code.name}")
        elif data == b"alarm":
            self.note(f"set {await self.conn.set_timer(3, 250)}")
            self.note(f"cancelled {(await self.conn.set_timer(3, -1)).code.name}")
        elif data == b"login":
            await self.conn.authenticate(ClientInfo(clientid="c"))
            self.note(f"state {self.conn.state!r}")
        elif data == b"save":
            self.note(f"saved {await self.conn.save_state(b'8')}")
        elif data == b"send":
            await self.conn.send(b"answer")
        self.note(data.decode())

    async def on_timer_timeout(self, type):
        self.note(f"timer {type.name}")

    async def on_alarm(self, id):
        self.note(f"alarm {id}")

    async def on_received_messages(self, messages):
        self.note(" ".join(f"{m.topic}={m.payload.decode()}" for m in messages))

    async def on_drain(self):
        self.note("drain")

    async def on_socket_closed(self, reason):
        self.note(f"closed {reason}")


@pytest.fixture
def recorder():
    """A handler class with what its handlers wrote down, and the gates that callbacks wait at."""

    class Recorded(Recorder):
        events = []
        gates = {}

    return Recorded


@pytest_asyncio.fixture
async def serve():
    """Starts a server of a handler, and a gateway that is connected to it."""
    running = []

    async def start(factory, adapter_tls=None, tls=None, gateway_tls=None, gateway_token="", **settings) -> FakeGateway:
        gateway = FakeGateway()
        await gateway.start(adapter_tls)
        server = Server(factory, listen="127.0.0.1:0", adapter=gateway.adapter, credentials=tls, **settings)
        gateway.server, gateway.address = server, await server.start()
        await gateway.connect(gateway.address, gateway_tls, gateway_token)
        running.append((server, gateway))
        return gateway

    yield start
    for server, gateway in running:
        await gateway.channel.close()
        await server.stop(0)
        await gateway.stop()
