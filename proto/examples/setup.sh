#!/usr/bin/env bash
# setup.sh [python|node|java...]: prepares the example handlers for their tests, all of them unless told. What is there already is kept.
set -euo pipefail
cd "$(dirname "$0")"

# Versions are pinned in python/requirements.txt; the contract is generated anew each time.
python() (
  cd python
  [[ -x .venv/bin/python ]] || "${PYTHON:-python3}" -m venv .venv
  if ! cmp -s requirements.txt .venv/requirements.txt; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
    cp requirements.txt .venv/requirements.txt
  fi
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
)

# Versions are pinned in node/package-lock.json; npm ci also copies the contract.
node() (
  cd node
  if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
    npm ci --no-audit --no-fund --loglevel=error
    cp package-lock.json node_modules/.installed-lock.json
  fi
  npm run --silent prepare
)

java() { java/build.sh; }

languages=("$@")
[[ $# -gt 0 ]] || languages=(python node java)
for language in "${languages[@]}"; do
  case $language in
    python | node | java) "$language" ;;
    *) echo "no language $language; there are python, node and java" >&2 && exit 2 ;;
  esac
done
