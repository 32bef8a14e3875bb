import grpc
import grpc.aio
import pytest
import trustme
from gateway import FakeGateway
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from exgate_handler import Handler, Server, contract


async def test_health(serve, recorder):
    gateway = await serve(recorder, token="t0")
    stub = health_pb2_grpc.HealthStub(gateway.channel)
    for service in ("", contract.UNARY_SERVICE, contract.STREAM_SERVICE, contract.SESSION_SERVICE):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection(serve, recorder):
    gateway = await serve(recorder)
    stub = reflection_pb2_grpc.ServerReflectionStub(gateway.channel)
    requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
    requests += [reflection_pb2.ServerReflectionRequest(file_containing_symbol=s) for s in (contract.SESSION_SERVICE, "grpc.health.v1.Health")]
    answers = [answer async for answer in stub.ServerReflectionInfo(iter(requests))]
    names = {service.name for service in answers[0].list_services_response.service}
    assert {contract.UNARY_SERVICE, contract.STREAM_SERVICE, contract.SESSION_SERVICE} < names
    assert all(answer.file_descriptor_response.file_descriptor_proto for answer in answers[1:])


@pytest.mark.parametrize("given", ["", "wrong"])
async def test_a_gateway_without_the_token(serve, recorder, given):
    gateway = await serve(recorder, token="right", gateway_token=given)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await gateway.unary("OnSocketCreated", conn="a")
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.stream("OnSocketCreated")
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.session()
    assert recorder.events == []


async def test_a_gateway_with_the_token(serve, recorder):
    gateway = await serve(recorder, token="right", gateway_token="right")
    await gateway.unary("OnSocketCreated", conn="a")
    assert recorder.events == ["a created TCP "]


async def test_mutual_tls_both_ways(serve):
    class Greeter(Handler):
        async def on_socket_created(self, info):
            assert await self.conn.send(b"hello")

    authority = trustme.CA()
    pair, root = authority.issue_cert("127.0.0.1"), authority.cert_pem.bytes()
    key, chain = pair.private_key_pem.bytes(), pair.cert_chain_pems[0].bytes()
    server = grpc.ssl_server_credentials([(key, chain)], root, require_client_auth=True)
    client = grpc.ssl_channel_credentials(root, key, chain)
    gateway = await serve(Greeter, tls=server, adapter_tls=server, gateway_tls=client, adapter_credentials=client)
    await gateway.unary("OnSocketCreated", conn="a")
    assert gateway.calls == ['Send conn: "a" bytes: "hello"']
    plain = FakeGateway()
    await plain.connect(gateway.address)
    with pytest.raises(grpc.aio.AioRpcError):
        await plain.unary("OnSocketCreated", conn="b")
    await plain.channel.close()


async def test_a_port_that_is_taken(serve, recorder):
    gateway = await serve(recorder)
    with pytest.raises(RuntimeError, match="bind"):
        await Server(recorder, listen=gateway.address).start()
