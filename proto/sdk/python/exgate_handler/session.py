"""exgate's own dialect: one bidirectional stream carries the events and commands of all connections."""

from __future__ import annotations

import asyncio
import itertools

import grpc
import grpc.aio

from . import contract
from .events import ClientInfo, Properties, TimerType, client_info, conn_info, messages, timer_type
from .handler import Conn
from .order import Background, HandlerFactory, Line
from .outbox import Outbox
from .result import OK, Code, Result, gone, result

VERSION = 1
FEATURES = ("state", "properties")  # those that the gateway must know of
STREAM_LOST = "stream_lost"  # the reason in on_socket_closed if the stream of the connection ended


class SessionConn(Conn):
    """A connection whose commands are sent on its stream."""

    def __init__(self, id: str, number: int, outbox: Outbox, features) -> None:
        self.id = id
        self._features = features
        self._number = number
        self._outbox = outbox
        self._tokens = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Result]] = {}
        self._gone: Result | None = None

    async def _tell(self, **command) -> Result:
        """Sends a command without a result."""
        if self._gone is None:
            await self._outbox.room()
        if self._gone is not None:
            return self._gone
        self._outbox.put(contract.Command(conn=self._number, **command))
        return OK

    async def _ask(self, **command) -> Result:
        """Sends a command and waits for its result."""
        token = next(self._tokens)
        future = self._asked[token] = asyncio.get_running_loop().create_future()
        try:
            sent = await self._tell(token=token, **command)
            return await future if sent else sent
        except (TypeError, ValueError) as error:  # a value that the field cannot represent, such as a qos of -1
            return Result(Code.PARAMS_TYPE_ERROR, str(error))
        finally:
            del self._asked[token]

    def answered(self, token: int, outcome: Result) -> None:
        future = self._asked.get(token)
        if future is not None and not future.done():
            future.set_result(outcome)

    def end(self, why: str) -> None:
        """Fails the pending calls, which get no other result."""
        self._gone = gone(why)
        for token in list(self._asked):
            self.answered(token, self._gone)

    async def send(self, data: bytes) -> Result:
        return await self._tell(send=data)

    async def close(self) -> Result:
        return await self._tell(close={})

    async def authenticate(self, client: ClientInfo, password: str = "") -> Result:
        return await self._ask(authenticate={"clientinfo": vars(client), "password": password})

    async def start_timer(self, interval: int, type: TimerType = TimerType.KEEPALIVE) -> Result:
        return await self._ask(start_timer={"type": type, "interval": interval})

    async def set_timer(self, id: int, ms: int) -> Result:
        if "timers" not in self._features:
            return Result(Code.PARAMS_TYPE_ERROR, "the gateway has no timers: it needs a newer version")
        return await self._ask(set_timer={"id": id, "ms": ms})

    async def save_state(self, state: bytes) -> Result:
        if "state" not in self._features:
            return Result(Code.PARAMS_TYPE_ERROR, "the gateway keeps no state: it needs a newer version")
        return await self._ask(save_state={"state": state})

    async def publish(self, topic: str, payload: bytes, qos: int = 0) -> Result:
        return await self._ask(publish={"topic": topic, "qos": qos, "payload": payload})

    async def publish_with(self, topic: str, payload: bytes, properties: Properties, qos: int = 0) -> Result:
        if "properties" not in self._features:
            return Result(Code.PARAMS_TYPE_ERROR, "the gateway has no properties: it needs a newer version")
        user = [{"name": name, "value": value} for name, value in properties.user]
        fields = {**vars(properties), "user": user}
        return await self._ask(publish={"topic": topic, "qos": qos, "payload": payload, "properties": fields})

    async def subscribe(self, topic: str, qos: int = 0) -> Result:
        return await self._ask(subscribe={"topic": topic, "qos": qos})

    async def unsubscribe(self, topic: str) -> Result:
        return await self._ask(unsubscribe={"topic": topic})

    async def raw_publish(self, topic: str, payload: bytes, qos: int = 0) -> Result:
        return await self._ask(raw_publish={"topic": topic, "qos": qos, "payload": payload})


def _created(event):
    created, info = event.created, conn_info(event.created.conninfo, event.created.properties)
    if not created.resumed:
        return "on_socket_created", info
    return "on_socket_resumed", info, client_info(created.clientinfo) if created.HasField("clientinfo") else None


# The arguments of each event's callback.
_ARGUMENTS = {
    "created": _created,
    "bytes": lambda event: ("on_received_bytes", event.bytes),
    "timer_timeout": lambda event: ("on_timer_timeout", timer_type(event.timer_timeout.type)),
    "alarm": lambda event: ("on_alarm", event.alarm.id),
    "messages": lambda event: ("on_received_messages", messages(event.messages.messages, event.messages.properties)),
    "drain": lambda event: ("on_drain",),
    "closed": lambda event: ("on_socket_closed", event.closed.reason),
}


class Session:
    """One stream of one gateway."""

    def __init__(self, factory: HandlerFactory, background: Background, outbox: Outbox, hello) -> None:
        self._factory = factory
        self._background = background
        self._outbox = outbox
        self._timeout = hello.call_timeout_ms / 1000 or None
        self._features = hello.features
        self._lines: dict[int, Line] = {}
        self._stopping = False
        self.stopped = asyncio.Event()

    def event(self, event) -> None:
        """Handles one event. Callbacks run in tasks and do not delay the reading of the stream."""
        kind = event.WhichOneof("event")
        if self._stopping and kind != "result":
            return  # the gateway sends it again, to another process
        if kind == "created":
            conn = SessionConn(event.created.id, event.conn, self._outbox, self._features)
            self._lines[event.conn] = Line(self._factory, conn)
        line = self._lines.get(event.conn)
        if line is None:
            return
        if kind == "result":
            line.conn.state = event.result.state or line.conn.state
            line.conn.answered(event.result.token, result(event.result))
        else:
            self._background.start(self._run(line, kind, event))

    async def _run(self, line: Line, kind: str | None, event) -> None:
        """Runs one event after the previous ones. Unknown kinds are acknowledged like all others."""
        async with line.turn:
            if self._lines.get(event.conn) is not line:
                return  # the stream has ended, and the gateway sends the event again
            if kind in _ARGUMENTS and not await line.attempt(*_ARGUMENTS[kind](event), timeout=self._timeout):
                await line.conn.close()
            if event.seq:
                self._outbox.ack(event.conn, event.seq)
            if kind == "closed":
                del self._lines[event.conn]
                line.conn.end("the connection is closed")

    async def stop(self) -> None:
        """Accepts no more events, and returns when the running callbacks have returned and are acknowledged."""
        self._stopping = True
        for line in list(self._lines.values()):
            async with line.turn:
                pass
        await self._outbox.flushed()
        self.stopped.set()

    def end(self) -> None:
        """Ends all connections of the ended stream."""
        lines, self._lines = self._lines, {}
        for line in lines.values():
            line.conn.end("the stream to the gateway ended")
            self._background.start(_lost(line))


async def _lost(line: Line) -> None:
    async with line.turn:
        await line.attempt("on_socket_closed", STREAM_LOST)


class SessionDialect:
    """Serves SessionHandler."""

    def __init__(self, factory: HandlerFactory, program: str, background: Background) -> None:
        self._factory = factory
        self._program = program
        self._background = background
        self._sessions: set[Session] = set()

    def services(self):
        """Returns the gRPC handler of the service."""
        request, answer = contract.GatewayFrame.FromString, contract.HandlerFrame.SerializeToString
        session = grpc.stream_stream_rpc_method_handler(self._serve, request, answer)
        return (grpc.method_handlers_generic_handler(contract.SESSION_SERVICE, {"Session": session}),)

    async def _serve(self, requests, context) -> None:
        frames = requests.__aiter__()
        first = await frames.__anext__()
        if not first.HasField("hello") or first.hello.version < VERSION:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"the first frame must have a hello of version {VERSION} or later")
        features = [feature for feature in first.hello.features if feature in FEATURES]
        await context.write(contract.HandlerFrame(hello={"version": VERSION, "program": self._program, "features": features}))
        outbox = Outbox()
        session = Session(self._factory, self._background, outbox, first.hello)
        self._sessions.add(session)
        work = [_read(frames, session, outbox), outbox.write(context), session.stopped.wait()]
        tasks = {asyncio.create_task(part) for part in work}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._sessions.discard(session)
            session.end()
            outbox.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        await asyncio.gather(*(session.stop() for session in self._sessions))


async def _read(frames, session: Session, outbox: Outbox) -> None:
    async for frame in frames:
        if frame.ping:
            outbox.pong(frame.ping)
        for event in frame.events:
            session.event(event)
