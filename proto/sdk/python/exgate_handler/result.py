"""The result of a call."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Code(enum.IntEnum):
    """The result codes of the contract."""

    SUCCESS = 0
    UNKNOWN = 1  # any other failure, including a failed call of the adapter; see the message
    CONN_PROCESS_NOT_ALIVE = 2  # the connection does not exist or is closed
    REQUIRED_PARAMS_MISSED = 3  # a required field is empty
    PARAMS_TYPE_ERROR = 4  # a value is out of its range
    PERMISSION_DENY = 5  # the broker or the gateway denied permission


@dataclass(frozen=True)
class Result:
    """A result. It is true if the call succeeded: ``if not await conn.publish(...)``."""

    code: Code
    message: str = ""  # for a person; empty on success

    def __bool__(self) -> bool:
        return self.code == Code.SUCCESS


OK = Result(Code.SUCCESS)


def result(proto) -> Result:
    if proto.code == Code.SUCCESS:
        return OK
    known = proto.code in set(Code)
    return Result(Code(proto.code) if known else Code.UNKNOWN, proto.message)


def gone(why: str) -> Result:
    return Result(Code.CONN_PROCESS_NOT_ALIVE, why)
