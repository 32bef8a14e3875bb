"""The server of a handler: every dialect on one port."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from . import contract
from .adapter import MAX_MESSAGE_BYTES, Adapter
from .order import Background, HandlerFactory
from .rpc import RPCDialects
from .session import SessionDialect
from .token import RequireToken

_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # a port in use is an error
    # A gateway pings HTTP/2 connections during calls, which gRPC considers abuse by default.
    ("grpc.http2.min_ping_interval_without_data_ms", 5000),
    ("grpc.keepalive_permit_without_calls", 1),
]


class Server:
    """Serves ConnectionUnaryHandler, ConnectionHandler and SessionHandler to any number of gateways, with health and reflection.

    Args:
        factory: returns the handler of a connection: a subclass of Handler, or a function that takes a Conn.
        listen: the listen address, host:port, named in the gateway's handler.grpc. Port 0 selects a free port.
        adapter: the address of the gateway's adapter, host:port. The session dialect needs none.
        credentials: TLS of the server, from grpc.ssl_server_credentials. If None, plain text.
        adapter_credentials: TLS for calls of the adapter, from grpc.ssl_channel_credentials. If None, plain text.
        token: the token required from gateways. If empty, none.
        adapter_token: the token sent to the adapter. If empty, none.
        call_timeout: the timeout for a call of the adapter, in seconds.
    """

    def __init__(
        self,
        factory: HandlerFactory,
        *,
        listen: str,
        adapter: str | None = None,
        credentials: grpc.ServerCredentials | None = None,
        adapter_credentials: grpc.ChannelCredentials | None = None,
        token: str = "",
        adapter_token: str = "",
        call_timeout: float = 30.0,
    ) -> None:
        self._factory = factory
        self._listen = listen
        self._credentials = credentials
        self._token = token
        self._adapter_settings = (adapter, adapter_credentials, adapter_token, call_timeout) if adapter else None
        self._adapter: Adapter | None = None
        self._background = Background()

    async def start(self) -> str:
        """Starts serving and returns the listen address, host:port. Raises RuntimeError if it cannot listen."""
        interceptors = [RequireToken(self._token)] if self._token else []
        self._server = grpc.aio.server(interceptors=interceptors, options=_OPTIONS)
        if self._adapter_settings:
            self._adapter = Adapter(*self._adapter_settings)
        rpc = RPCDialects(self._factory, self._adapter, self._background)
        self._session = SessionDialect(self._factory, getattr(self._factory, "__name__", "handler"), self._background)
        self._server.add_generic_rpc_handlers((*rpc.services(), *self._session.services()))
        await self._add_health_and_reflection()
        if self._credentials is None:
            port = self._server.add_insecure_port(self._listen)
        else:
            port = self._server.add_secure_port(self._listen, self._credentials)
        await self._server.start()
        return f"{self._listen.rpartition(':')[0]}:{port}"

    async def _add_health_and_reflection(self) -> None:
        services = [contract.UNARY_SERVICE, contract.STREAM_SERVICE, contract.SESSION_SERVICE]
        self._health = health.aio.HealthServicer()
        for service in services:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server, pool=contract.pool)

    async def stop(self, grace: float = 5.0) -> None:
        """Rejects new events, waits up to grace seconds for running callbacks, and cancels the rest."""
        await self._health.enter_graceful_shutdown()
        sessions = asyncio.create_task(self._session.stop())
        await self._server.stop(grace)
        sessions.cancel()
        await self._background.finish(grace)
        if self._adapter:
            await self._adapter.close()


async def serve(factory: HandlerFactory, **settings) -> None:
    """Runs a Server with these settings until SIGINT or SIGTERM, and prints a line once it is ready."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # not available on Windows, where Ctrl-C raises KeyboardInterrupt
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
    server = Server(factory, **settings)
    address = await server.start()
    print(f"handler on {address} calls the adapter at {settings.get('adapter')}", flush=True)
    await stop.wait()
    await server.stop()


def run(factory: HandlerFactory, **settings) -> None:
    """serve for a program that does nothing else."""
    asyncio.run(serve(factory, **settings))
