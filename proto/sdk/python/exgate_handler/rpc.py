"""The dialects of ExProto: one RPC per event (unary), or one stream per method, shared by all connections (stream)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import grpc
import grpc.aio

from . import contract
from .adapter import Adapter, AdapterConn
from .events import ConnInfo, conn_info, messages, timer_type
from .order import Background, HandlerFactory, Line

# The arguments of each callback.
_ARGUMENTS = {
    "OnSocketCreated": lambda request: ("on_socket_created", conn_info(request.conninfo)),
    "OnReceivedBytes": lambda request: ("on_received_bytes", request.bytes),
    "OnTimerTimeout": lambda request: ("on_timer_timeout", timer_type(request.type)),
    "OnReceivedMessages": lambda request: ("on_received_messages", messages(request.messages)),
    "OnSocketClosed": lambda request: ("on_socket_closed", request.reason),
}

MAX_STREAM_EVENTS = 1024  # queued events of one stream; the stream is not read while there are more
CREATED_PATIENCE = 1.0  # seconds that early events wait for their connection's OnSocketCreated
REMEMBERED = 4096  # closed connections whose late events are dropped


class Connections:
    """The connections of the RPC dialects, by id."""

    def __init__(self, factory: HandlerFactory, adapter: Adapter | None) -> None:
        self._factory = factory
        self._adapter = adapter
        self._lines: dict[str, Line] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()

    def open(self, id: str) -> Line:
        line = self._lines[id] = Line(self._factory, AdapterConn(id, self._adapter))
        return line

    def find(self, id: str) -> Line | None:
        return self._lines.get(id)

    def ended(self, id: str) -> bool:
        return id in self._ended

    def end(self, id: str) -> None:
        self._lines.pop(id, None)
        self._ended[id] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)


class RPCDialects:
    """Serves ConnectionUnaryHandler and ConnectionHandler.

    The latter is served as client streams. A stream that ends after one event looks like the unary form of EMQX 4.2 on the wire:
    it is answered after the event's callback has returned, so both forms work.
    """

    def __init__(self, factory: HandlerFactory, adapter: Adapter | None, background: Background) -> None:
        self._connections = Connections(factory, adapter)
        self._overtaken: dict[str, asyncio.Future] = {}  # by connection, the wait for its OnSocketCreated
        self._background = background

    def services(self):
        """Returns the gRPC handlers of both services."""
        unary = {name: self._unary(name, request) for name, request in contract.methods(contract.UNARY_SERVICE)}
        stream = {name: self._stream(name, request) for name, request in contract.methods(contract.STREAM_SERVICE)}
        return (
            grpc.method_handlers_generic_handler(contract.UNARY_SERVICE, unary),
            grpc.method_handlers_generic_handler(contract.STREAM_SERVICE, stream),
        )

    def _unary(self, method: str, request_class):
        async def serve(request, context):
            if not await self._event(method, request):
                await _abort(context, method)
            return contract.EmptySuccess()

        return grpc.unary_unary_rpc_method_handler(serve, request_class.FromString, contract.EmptySuccess.SerializeToString)

    def _stream(self, method: str, request_class):
        async def serve(requests, context):
            room = asyncio.Semaphore(MAX_STREAM_EVENTS)
            pending: set[asyncio.Task] = set()
            count, last = 0, None
            async for request in requests:
                await room.acquire()
                last = self._background.start(self._streamed(method, request))
                pending.add(last)
                last.add_done_callback(lambda done: (pending.discard(done), room.release()))
                count += 1
            if pending:
                await asyncio.wait(pending)
            if count == 1 and not last.result():
                await _abort(context, method)
            return contract.EmptySuccess()

        return grpc.stream_unary_rpc_method_handler(serve, request_class.FromString, contract.EmptySuccess.SerializeToString)

    async def _streamed(self, method: str, request) -> bool:
        succeeded = await self._event(method, request, CREATED_PATIENCE)
        if not succeeded and (line := self._connections.find(request.conn)):
            await line.conn.close()  # no answer reports the failure to the gateway
        return succeeded

    async def _event(self, method: str, request, patience: float = 0) -> bool:
        """Runs the callback of one event."""
        connections, opens = self._connections, False
        line = connections.find(request.conn)
        if line is None:
            if method == "OnSocketClosed" or connections.ended(request.conn):
                return True
            line = connections.open(request.conn)
            opens = method != "OnSocketCreated"
        elif method == "OnSocketCreated" and (overtaken := self._overtaken.pop(request.conn, None)):
            overtaken.set_result(request)
            return True
        async with line.turn:
            begun = not opens or await self._begin(line, patience)
            succeeded = await line.attempt(*_ARGUMENTS[method](request))
        if method == "OnSocketClosed":
            connections.end(request.conn)
        return begun and succeeded

    async def _begin(self, line: Line, patience: float) -> bool:
        """Begins a connection whose first event is not OnSocketCreated: that is late on a stream of its own, or another process received it."""
        if patience:
            overtaken = self._overtaken[line.conn.id] = asyncio.get_running_loop().create_future()
            await asyncio.wait({overtaken}, timeout=patience)
            if overtaken.done():
                return await line.attempt(*_ARGUMENTS["OnSocketCreated"](overtaken.result()))
            del self._overtaken[line.conn.id]
        return await line.attempt("on_socket_resumed", ConnInfo(), None)


async def _abort(context, method: str) -> None:
    await context.abort(grpc.StatusCode.INTERNAL, f"{method} failed in the handler; see its log")
