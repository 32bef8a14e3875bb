"""What a user writes: a handler for each connection."""

from __future__ import annotations

import abc

from .events import ClientInfo, ConnInfo, Message, TimerType
from .result import Result


class Conn(abc.ABC):
    """One device's connection, and what the gateway can do for it.

    Every method can be called inside a callback and from any task of the event loop. None raises for what goes wrong outside: the
    Result tells. ``id`` is the connection's name: opaque, and never reused.
    """

    id: str

    @abc.abstractmethod
    async def send(self, data: bytes) -> Result:
        """Queues bytes for the device. In the session dialect success says that they are on their way to the gateway."""

    @abc.abstractmethod
    async def close(self) -> Result:
        """Ends the connection after what send queued went out. on_socket_closed follows with the reason "normal"."""

    @abc.abstractmethod
    async def authenticate(self, client: ClientInfo, password: str = "") -> Result:
        """Opens the device's MQTT session; the answer is the broker's."""

    @abc.abstractmethod
    async def start_timer(self, interval: int, type: TimerType = TimerType.KEEPALIVE) -> Result:
        """Sets or replaces a timer of so many seconds, at least 1."""

    @abc.abstractmethod
    async def publish(self, topic: str, payload: bytes, qos: int = 0) -> Result:
        """Publishes as the authenticated device. At qos 1 and 2 success says that the broker has the message."""

    @abc.abstractmethod
    async def subscribe(self, topic: str, qos: int = 0) -> Result:
        """Adds a subscription; its messages come to on_received_messages. $share/group/filter shares it."""

    @abc.abstractmethod
    async def unsubscribe(self, topic: str) -> Result:
        """Removes a subscription. Removing one that does not exist succeeds."""

    @abc.abstractmethod
    async def raw_publish(self, topic: str, payload: bytes, qos: int = 0) -> Result:
        """Publishes past login, access control and mountpoint: refused unless the gateway's configuration allows it."""


class Handler:
    """The handler of one connection: the server makes one for each, with its conn.

    The callbacks of one connection run one at a time, in order, on_socket_closed last; those of different connections run side by
    side, so a callback that waits must ``await``. One that raises costs its device the connection.
    """

    def __init__(self, conn: Conn) -> None:
        self.conn = conn

    async def on_socket_created(self, info: ConnInfo) -> None:
        """The connection is there."""

    async def on_socket_resumed(self, info: ConnInfo, client: ClientInfo | None) -> None:
        """The connection is there, but lived before: another process, or this one before its stream to the gateway broke, has handled
        events of it. client is what it authenticated with, where the dialect tells (session), and then so is info. If not
        overridden, on_socket_created."""
        await self.on_socket_created(info)

    async def on_received_bytes(self, data: bytes) -> None:
        """What the device sent: for TCP and TLS any piece of its stream, for UDP and DTLS one datagram."""

    async def on_timer_timeout(self, type: TimerType) -> None:
        """A timer fired. The gateway closes the connection after this, once what was sent is out."""

    async def on_received_messages(self, messages: list[Message]) -> None:
        """Messages of the connection's subscriptions: one or more."""

    async def on_drain(self) -> None:
        """The gateway stops or makes room for a newer configuration: a chance to end the device's business. Session dialect only."""

    async def on_socket_closed(self, reason: str) -> None:
        """The connection is gone, for a reason of one word such as tcp_closed, normal, keepalive_timeout or discarded."""
