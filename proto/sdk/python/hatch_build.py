"""Generates what the package knows of the contract: the descriptors of the .proto files, in one file."""

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROTOS = ("exproto/exproto.proto", "exgate/handler/v1/handler.proto")
OUTPUT = "exgate_handler/contract.binpb"


class Contract(BuildHookInterface):
    def initialize(self, version, build_data):
        from grpc_tools import protoc

        source = Path(self.root, "..", "..").resolve()
        if protoc.main(["protoc", f"-I{source}", f"-o{Path(self.root, OUTPUT)}", "--include_imports", *PROTOS]):
            raise RuntimeError(f"generating {OUTPUT} from {source}: protoc failed")
        build_data["artifacts"].append(OUTPUT)
