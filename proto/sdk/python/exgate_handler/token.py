"""The bearer token required from gateways."""

from __future__ import annotations

import hmac

import grpc
import grpc.aio

HEALTH = "/grpc.health.v1.Health/"


class RequireToken(grpc.aio.ServerInterceptor):
    """Rejects RPCs without the token, except health checks, which orchestrators make without one."""

    def __init__(self, token: str) -> None:
        self._want = f"Bearer {token}".encode()

    async def intercept_service(self, continuation, details):
        if details.method.startswith(HEALTH) or self._allowed(details.invocation_metadata):
            return await continuation(details)
        return grpc.stream_stream_rpc_method_handler(_refuse)

    def _allowed(self, metadata) -> bool:
        given = [value for key, value in metadata or () if key == "authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), self._want)


async def _refuse(_, context):
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the gateway's token for this handler is missing or wrong: see token_file")
