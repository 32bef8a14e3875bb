"""The handler of a connection, which users subclass."""

from __future__ import annotations

import abc

from .events import ClientInfo, ConnInfo, Message, Properties, TimerType
from .result import Code, Result


class Conn(abc.ABC):
    """The connection of one device.

    Its methods may be called from any task of the event loop, also inside a callback. They do not raise if the gateway or broker
    refuses: see the Result. ``id`` is the id of the connection: opaque, and never reused.
    """

    id: str
    state: bytes = b""
    """What save_state saved last for this device and handler, as it came with the result of authenticate. Empty before that, and without any."""

    @abc.abstractmethod
    async def send(self, data: bytes) -> Result:
        """Queues bytes for the device. In the session dialect, success means that they are on their way to the gateway."""

    @abc.abstractmethod
    async def close(self) -> Result:
        """Closes the connection after sending the queued bytes. on_socket_closed follows with the reason "normal"."""

    @abc.abstractmethod
    async def authenticate(self, client: ClientInfo, password: str = "") -> Result:
        """Opens the device's MQTT session. The result is the broker's."""

    @abc.abstractmethod
    async def start_timer(self, interval: int, type: TimerType = TimerType.KEEPALIVE) -> Result:
        """Sets or replaces a timer, in seconds, at least 1."""

    async def set_timer(self, id: int, ms: int) -> Result:
        """Sets or replaces the one-shot timer id, 0 to 15: on_alarm is called once after ms milliseconds, at least 10. Negative ms cancels
        it. Nothing is closed. Timers stay with a connection that is resumed. Only in the session dialect, with a gateway that has timers."""
        return Result(Code.PARAMS_TYPE_ERROR, "this dialect has no timers: use session")

    async def save_state(self, state: bytes) -> Result:
        """Replaces the state that the gateway keeps for this device and handler: at most 4 KiB, unless it is configured otherwise. It comes
        back with the device's next login, also after a restart; an empty one deletes it. Returns once the state is durable, within a second.
        Only in the session dialect, with a gateway that keeps state."""
        return Result(Code.PARAMS_TYPE_ERROR, "this dialect has no state: use session")

    async def publish_with(self, topic: str, payload: bytes, properties: Properties, qos: int = 0) -> Result:
        """Publishes with properties; see publish. The broker may refuse retain. Only in the session dialect, with a gateway that has
        properties."""
        return Result(Code.PARAMS_TYPE_ERROR, "this dialect has no properties: use session")

    async def answer(self, request: Message, payload: bytes, qos: int = 0) -> Result:
        """Publishes the answer to a message that has a response topic, with its correlation. The message may be kept and answered later."""
        if request.properties is None or not request.properties.response_topic:
            return Result(Code.REQUIRED_PARAMS_MISSED, "the message has no response topic")
        properties = Properties(correlation=request.properties.correlation)
        return await self.publish_with(request.properties.response_topic, payload, properties, qos)

    @abc.abstractmethod
    async def publish(self, topic: str, payload: bytes, qos: int = 0) -> Result:
        """Publishes as the authenticated device. At qos 1 and 2, success means that the broker has acknowledged the message."""

    @abc.abstractmethod
    async def subscribe(self, topic: str, qos: int = 0) -> Result:
        """Adds a subscription, whose messages are passed to on_received_messages. $share/group/filter makes it shared."""

    @abc.abstractmethod
    async def unsubscribe(self, topic: str) -> Result:
        """Removes a subscription. It succeeds even if there is none."""

    @abc.abstractmethod
    async def raw_publish(self, topic: str, payload: bytes, qos: int = 0) -> Result:
        """Publishes without login, access rules and mountpoint. Refused unless the gateway's configuration allows it."""


class Handler:
    """Handles the events of one connection. The server creates one instance per connection and sets its conn.

    The callbacks of one connection run one at a time and in order, on_socket_closed last. Those of different connections run
    concurrently, so a callback that waits must ``await``. If one raises, its connection is closed.
    """

    def __init__(self, conn: Conn) -> None:
        self.conn = conn

    async def on_socket_created(self, info: ConnInfo) -> None:
        """The connection is open."""

    async def on_socket_resumed(self, info: ConnInfo, client: ClientInfo | None) -> None:
        """The connection is open, but not new: another process, or this one before its stream to the gateway ended, has handled
        events of it. client is what it authenticated with, and info describes it, if the dialect sends them (session). By default
        calls on_socket_created."""
        await self.on_socket_created(info)

    async def on_received_bytes(self, data: bytes) -> None:
        """Bytes from the device: for TCP and TLS any part of the stream, for UDP and DTLS one datagram."""

    async def on_timer_timeout(self, type: TimerType) -> None:
        """A timer fired. The gateway closes the connection afterwards, once the queued bytes are sent."""

    async def on_alarm(self, id: int) -> None:
        """A timer of set_timer fired. The connection stays open. Session dialect only."""

    async def on_received_messages(self, messages: list[Message]) -> None:
        """One or more messages for the connection's subscriptions."""

    async def on_drain(self) -> None:
        """The gateway stops or loads a newer configuration: finish what can be finished. Session dialect only."""

    async def on_socket_closed(self, reason: str) -> None:
        """The connection is closed. The reason is one word such as tcp_closed, normal, keepalive_timeout or discarded."""
