"""The protocol: frames with a type, answered one at a time."""

from __future__ import annotations

import json

from exgate_handler import ClientInfo, Conn, Handler, Message, Result, TimerType

from .stream import JSONStream

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, DISCONNECT, RAW_PUBLISH = range(1, 11)
MAX_REFUSED = 10  # requests in a row, before the device is closed


class JSONEcho(Handler):
    def __init__(self, conn: Conn) -> None:
        super().__init__(conn)
        self._stream = JSONStream()
        self._closed = False
        self._refused = 0

    async def on_received_bytes(self, data: bytes) -> None:
        if self._closed:
            return
        for frame in self._stream.feed(data):
            if not self._closed:
                await self._frame(frame)
        if self._stream.broken and not self._closed:
            await self._close()

    async def on_timer_timeout(self, type: TimerType) -> None:
        await self._send({"type": DISCONNECT})
        await self._close()

    async def on_received_messages(self, messages: list[Message]) -> None:
        for m in messages:
            if not self._closed:
                payload = m.payload.decode(errors="replace")
                await self._send({"type": PUBLISH, "topic": m.topic, "qos": m.qos, "payload": payload})

    async def _frame(self, frame: dict) -> None:
        topic, qos = frame.get("topic", ""), frame.get("qos", 0)
        payload = str(frame.get("payload", "")).encode(errors="replace")
        kind = frame.get("type")
        if kind == CONNECT:
            await self._connect(frame)
        elif kind == PUBLISH:
            await self._answer(PUBACK, await self.conn.publish(topic, payload, qos))
        elif kind == RAW_PUBLISH:
            await self._answer(PUBACK, await self.conn.raw_publish(topic, payload, qos))
        elif kind == SUBSCRIBE:
            await self._answer(SUBACK, await self.conn.subscribe(topic, qos))
        elif kind == UNSUBSCRIBE:
            await self._answer(UNSUBACK, await self.conn.unsubscribe(topic))
        else:  # also DISCONNECT
            await self._close()

    async def _connect(self, frame: dict) -> None:
        info = frame.get("clientinfo")
        info = dict(info) if isinstance(info, dict) else {}
        keepalive = info.get("keepalive", 0)
        texts = {name: info.get(name, "") for name in ("clientid", "username", "proto_name", "proto_ver", "mountpoint")}
        login = await self.conn.authenticate(ClientInfo(**texts), frame.get("password", ""))
        if login and keepalive:
            await self.conn.start_timer(keepalive)
        await self._answer(CONNACK, login)
        if not login:
            await self._close()

    async def _answer(self, kind: int, result: Result) -> None:
        await self._send({"type": kind, "code": 0 if result else 1})
        self._refused = 0 if result else self._refused + 1
        if self._refused >= MAX_REFUSED:
            await self._close()

    async def _send(self, frame: dict) -> None:
        await self.conn.send(json.dumps(frame, separators=(",", ":"), ensure_ascii=False).encode(errors="replace"))

    async def _close(self) -> None:
        self._closed = True
        await self.conn.close()
