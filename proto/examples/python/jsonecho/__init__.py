"""The JSON echo protocol: a handler over gRPC."""
