"""The SDK for handlers of device protocols behind exgate, in every dialect of the gateway: unary, stream, unary-v42 or session."""

from .events import Address, Certificate, ClientInfo, ConnInfo, Message, Properties, SocketType, TimerType
from .handler import Conn, Handler
from .result import Code, Result
from .server import Server, run, serve

__all__ = [
    "Address",
    "Certificate",
    "ClientInfo",
    "Code",
    "Conn",
    "ConnInfo",
    "Handler",
    "Message",
    "Properties",
    "Result",
    "Server",
    "SocketType",
    "TimerType",
    "run",
    "serve",
]
