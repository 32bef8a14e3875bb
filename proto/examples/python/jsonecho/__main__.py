"""Serves the JSON echo protocol: python -m jsonecho --listen 127.0.0.1:9001 --adapter 127.0.0.1:9100"""

import argparse

from exgate_handler import run

from .protocol import JSONEcho

parser = argparse.ArgumentParser(prog="jsonecho", description="Serves the JSON echo protocol to a gateway.")
parser.add_argument("--listen", default="127.0.0.1:9001", help="address that the gateway's handler.grpc names (%(default)s)")
parser.add_argument("--adapter", default="127.0.0.1:9100", help="address of the gateway's adapter (%(default)s)")
options = parser.parse_args()
run(JSONEcho, listen=options.listen, adapter=options.adapter)
