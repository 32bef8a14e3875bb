#!/usr/bin/env bash
# test.sh: the Python and Node packages' own tests and linters. Java's run when setup.sh builds it; package examplestest plays all of them with a gateway.
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh python node
(
  cd python
  .venv/bin/ruff check .
  .venv/bin/ruff format --check .
  .venv/bin/python -m pytest -q
)
(
  cd node
  npm run --silent lint
  npm test --silent
)
