"""A gateway for tests: it serves the adapter, and sends events to a handler in every dialect."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio

from exgate_handler import contract


class FakeGateway:
    """Keeps the calls of its adapter, and answers them with success unless told otherwise."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.codes: dict[str, int] = {}
        self.metadata: list[tuple[str, str]] = []
        self.held: dict[str, asyncio.Event] = {}  # methods that are not answered before the event is set

    async def start(self, credentials=None) -> None:
        self._server = grpc.aio.server()
        serve = {name: self._serve(name, request) for name, request in contract.methods(contract.ADAPTER_SERVICE)}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(contract.ADAPTER_SERVICE, serve),))
        if credentials:
            port = self._server.add_secure_port("127.0.0.1:0", credentials)
        else:
            port = self._server.add_insecure_port("127.0.0.1:0")
        self.adapter = f"127.0.0.1:{port}"
        await self._server.start()

    def _serve(self, name, request_class):
        async def serve(request, context):
            if name in self.held:
                await self.held[name].wait()
            self.metadata = list(context.invocation_metadata())
            self.calls.append(f"{name} {shown(request)}")
            return contract.CodeResponse(code=self.codes.get(name, 0))

        return grpc.unary_unary_rpc_method_handler(serve, request_class.FromString, contract.CodeResponse.SerializeToString)

    async def connect(self, address: str, credentials=None, token: str = "") -> None:
        options = [("grpc.enable_http_proxy", 0)]
        self.channel = grpc.aio.secure_channel(address, credentials, options) if credentials else grpc.aio.insecure_channel(address, options)
        self._given = (("authorization", f"Bearer {token}"),) if token else ()

    async def stop(self) -> None:
        await self.channel.close()
        await self._server.stop(None)

    async def unary(self, method: str, service: str = contract.UNARY_SERVICE, **fields):
        """One event of the unary dialect, or of EMQX 4.2 with the other service."""
        request = _requests[method]
        call = self.channel.unary_unary(f"/{service}/{method}", request.SerializeToString, contract.EmptySuccess.FromString)
        return await call(request(**fields), metadata=self._given, timeout=10)

    def stream(self, method: str):
        """One stream of the stream dialect; write requests of event to it."""
        request = _requests[method]
        path = f"/{contract.STREAM_SERVICE}/{method}"
        return self.channel.stream_unary(path, request.SerializeToString, contract.EmptySuccess.FromString)(metadata=self._given)

    async def session(self, **hello) -> FakeSession:
        path = f"/{contract.SESSION_SERVICE}/Session"
        to, back = contract.GatewayFrame.SerializeToString, contract.HandlerFrame.FromString
        session = FakeSession(self.channel.stream_stream(path, to, back)(metadata=self._given))
        await session.send(hello={"version": 1, "node": "fake", "call_timeout_ms": 10_000, "features": ["timers", "state", "properties"], **hello})
        session.hello = (await session.receive()).hello
        return session


class FakeSession:
    """The gateway's side of one stream of the session dialect."""

    def __init__(self, call) -> None:
        self.call = call
        self._commands: list = []

    async def send(self, *events, **fields) -> None:
        await self.call.write(contract.GatewayFrame(events=events, **fields))

    async def receive(self):
        frame = await asyncio.wait_for(self.call.read(), 10)
        assert frame is not grpc.aio.EOF, await self.call.details()
        return frame

    async def commands(self, count: int) -> list[str]:
        """The next commands, in the order in which they came."""
        while len(self._commands) < count:
            self._commands += (await self.receive()).commands
        taken, self._commands = self._commands[:count], self._commands[count:]
        return [shown(command) for command in taken]


_requests = dict(contract.methods(contract.UNARY_SERVICE))


def event(method: str, **fields):
    """The message of an event of the stream dialect."""
    return _requests[method](**fields)


def shown(proto) -> str:
    """A message in one line."""
    return " ".join(str(proto).split())


async def until(condition) -> None:
    """Waits for a condition, for ten seconds."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came true")
