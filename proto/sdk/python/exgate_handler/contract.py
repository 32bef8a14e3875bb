"""The messages and services of the contract, from the descriptors that the build generated.

They are in a pool of their own, so that a program may also import other versions of the same .proto files.
"""

from importlib import resources

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

UNARY_SERVICE = "emqx.exproto.v1.ConnectionUnaryHandler"
STREAM_SERVICE = "emqx.exproto.v1.ConnectionHandler"
SESSION_SERVICE = "exgate.handler.v1.SessionHandler"
ADAPTER_SERVICE = "emqx.exproto.v1.ConnectionAdapter"


def _load() -> DescriptorPool:
    loaded = DescriptorPool()
    try:
        contract = resources.files(__package__).joinpath("contract.binpb").read_bytes()
    except FileNotFoundError as error:
        raise ImportError("exgate_handler is not built: install it with pip, or its folder with pip install -e") from error
    for file in descriptor_pb2.FileDescriptorSet.FromString(contract).file:
        loaded.AddSerializedFile(file.SerializeToString())
    for module in (health_pb2, reflection_pb2):  # reflection looks every service up here
        loaded.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return loaded


pool = _load()


def message(name: str):
    """Returns the class of a message, by its full name."""
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


EmptySuccess = message("emqx.exproto.v1.EmptySuccess")
CodeResponse = message("emqx.exproto.v1.CodeResponse")
ClientInfoProto = message("emqx.exproto.v1.ClientInfo")

GatewayFrame = message("exgate.handler.v1.GatewayFrame")
HandlerFrame = message("exgate.handler.v1.HandlerFrame")
Command = message("exgate.handler.v1.Command")


def methods(service: str):
    """Returns the methods of a service, with their names and the classes of their requests."""
    for method in pool.FindServiceByName(service).methods:
        yield method.name, message_factory.GetMessageClass(method.input_type)
