"""Calls of the gateway's ConnectionAdapter, in the RPC dialects."""

from __future__ import annotations

import grpc
import grpc.aio

from . import contract
from .events import ClientInfo, TimerType
from .handler import Conn
from .result import Code, Result, gone, result

MAX_MESSAGE_BYTES = 16 << 20


class Adapter:
    """Calls one gateway's adapter over one HTTP/2 connection, which is opened when first needed."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None, token: str, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        options = [
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.enable_http_proxy", 0),
        ]
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, options)
        else:
            self._channel = grpc.aio.secure_channel(address, credentials, options)
        self._calls = dict(map(self._method, contract.methods(contract.ADAPTER_SERVICE)))

    def _method(self, method):
        name, request = method
        call = self._channel.unary_unary(
            f"/{contract.ADAPTER_SERVICE}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=contract.CodeResponse.FromString,
        )
        return name, (request, call)

    async def call(self, method: str, **fields) -> Result:
        request, call = self._calls[method]
        try:
            return result(await call(request(**fields), timeout=self._timeout, metadata=self._metadata))
        except (TypeError, ValueError) as error:  # a value that the field cannot represent, such as a qos of -1
            return Result(Code.PARAMS_TYPE_ERROR, str(error))
        except grpc.aio.AioRpcError as error:
            return Result(Code.UNKNOWN, f"calling the adapter at {self._address}: {error.code().name}: {error.details()}")

    async def close(self) -> None:
        await self._channel.close()


class AdapterConn(Conn):
    """A connection whose commands are calls of the adapter."""

    def __init__(self, id: str, adapter: Adapter | None) -> None:
        self.id = id
        self._adapter = adapter

    async def _call(self, method: str, **fields) -> Result:
        if self._adapter is None:
            return gone("this dialect needs the adapter setting of the server")
        return await self._adapter.call(method, **fields)

    async def send(self, data: bytes) -> Result:
        return await self._call("Send", conn=self.id, bytes=data)

    async def close(self) -> Result:
        return await self._call("Close", conn=self.id)

    async def authenticate(self, client: ClientInfo, password: str = "") -> Result:
        info = contract.ClientInfoProto(**vars(client))
        return await self._call("Authenticate", conn=self.id, clientinfo=info, password=password)

    async def start_timer(self, interval: int, type: TimerType = TimerType.KEEPALIVE) -> Result:
        return await self._call("StartTimer", conn=self.id, type=type, interval=interval)

    async def publish(self, topic: str, payload: bytes, qos: int = 0) -> Result:
        return await self._call("Publish", conn=self.id, topic=topic, qos=qos, payload=payload)

    async def subscribe(self, topic: str, qos: int = 0) -> Result:
        return await self._call("Subscribe", conn=self.id, topic=topic, qos=qos)

    async def unsubscribe(self, topic: str) -> Result:
        return await self._call("Unsubscribe", conn=self.id, topic=topic)

    async def raw_publish(self, topic: str, payload: bytes, qos: int = 0) -> Result:
        return await self._call("RawPublish", topic=topic, qos=qos, payload=payload)
