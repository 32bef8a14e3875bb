#!/usr/bin/env bash
# test.sh: runs the tests and linters of the Python and Node SDKs and examples. setup.sh runs Java's when it builds them; package examplestest runs all examples behind a gateway.
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh python node

for folder in ../sdk/python python; do
  (
    bin=$PWD/../sdk/python/.venv/bin
    cd "$folder"
    "$bin/ruff" check .
    "$bin/ruff" format --check .
    "$bin/python" -m pytest -q
  )
done

for folder in ../sdk/node node; do
  (
    cd "$folder"
    npm run --silent lint
    npm test --silent
  )
done
