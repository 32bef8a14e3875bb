"""The values passed to callbacks, the same in every dialect."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class SocketType(enum.IntEnum):
    """The type of a device's socket."""

    TCP = 0
    SSL = 1
    UDP = 2
    DTLS = 3


class TimerType(enum.IntEnum):
    """A timer of a connection."""

    KEEPALIVE = 0  # fires when the device has sent nothing for the interval


@dataclass(frozen=True)
class Address:
    """One end of a socket."""

    host: str = ""
    port: int = 0


@dataclass(frozen=True)
class Certificate:
    """The subject of a device's certificate."""

    cn: str
    dn: str  # in RFC 4514 form


@dataclass(frozen=True)
class ConnInfo:
    """A connection. peercert is None unless the device presented a certificate over TLS or DTLS."""

    socktype: SocketType = SocketType.TCP
    peername: Address = field(default_factory=Address)
    sockname: Address = field(default_factory=Address)
    peercert: Certificate | None = None
    properties: tuple[tuple[str, str], ...] = ()
    """Names and values of what else the listener knows, such as the path of a WebSocket. Session dialect only."""

    def property(self, name: str) -> str:
        """The value of the property called name, or ""."""
        return dict(self.properties).get(name, "")


@dataclass(frozen=True)
class ClientInfo:
    """What a handler knows about a device. If clientid is empty, the gateway assigns one. mountpoint is prepended to the device's topics."""

    clientid: str
    username: str = ""
    proto_name: str = ""
    proto_ver: str = ""
    mountpoint: str = ""


@dataclass(frozen=True)
class Properties:
    """What a message carries beside its topic, qos and payload, as in MQTT 5. Each is optional."""

    retain: bool = False
    """Asks the broker to keep the message. Of a received message: the broker had kept it."""
    expiry: int = 0  # seconds; 0: the message does not expire
    content_type: str = ""
    response_topic: str = ""  # where an answer is expected
    correlation: bytes = b""  # what an answer repeats
    user: tuple[tuple[str, str], ...] = ()  # names and values; at most 64


@dataclass(frozen=True)
class Message:
    """A message for one of the connection's subscriptions."""

    topic: str
    payload: bytes
    qos: int  # the publisher's
    id: str  # unique
    node: str  # the gateway's
    sender: str  # the publisher's client id, if the broker reports it
    timestamp: int  # Unix time in milliseconds
    properties: Properties | None = None  # None without any, and in dialects other than session


def conn_info(proto, properties=()) -> ConnInfo:
    cert = Certificate(proto.peercert.cn, proto.peercert.dn) if proto.HasField("peercert") else None
    return ConnInfo(
        socktype=_known(SocketType, proto.socktype),
        peername=Address(proto.peername.host, proto.peername.port),
        sockname=Address(proto.sockname.host, proto.sockname.port),
        peercert=cert,
        properties=_pairs(properties),
    )


def _pairs(protos) -> tuple[tuple[str, str], ...]:
    return tuple((p.name, p.value) for p in protos)


def client_info(proto) -> ClientInfo:
    return ClientInfo(proto.clientid, proto.username, proto.proto_name, proto.proto_ver, proto.mountpoint)


def messages(protos, properties=None) -> list[Message]:
    """The messages. properties has those of some of them, by index."""
    found = {index: _properties(p) for index, p in properties.items()} if properties else {}
    return [Message(m.topic, m.payload, m.qos, m.id, m.node, getattr(m, "from"), m.timestamp, found.get(i)) for i, m in enumerate(protos)]


def _properties(proto) -> Properties:
    return Properties(proto.retain, proto.expiry, proto.content_type, proto.response_topic, proto.correlation, _pairs(proto.user))


def timer_type(number: int):
    return _known(TimerType, number)


def _known(kind, number):
    """Numbers that only a newer gateway knows remain numbers."""
    return kind(number) if number in set(kind) else number
