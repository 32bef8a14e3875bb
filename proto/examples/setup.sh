#!/usr/bin/env bash
# setup.sh [python|node|java...]: prepares the handler SDKs and the examples for their tests, all languages by default. It keeps what is already installed.
set -euo pipefail
cd "$(dirname "$0")"

# Versions are pinned in requirements.txt; the contract is generated each time. The example uses the SDK's environment.
python() (
  cd ../sdk/python
  [[ -x .venv/bin/python ]] || "${PYTHON:-python3}" -m venv .venv
  if ! cmp -s requirements.txt .venv/requirements.txt; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
    cp requirements.txt .venv/requirements.txt
  fi
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
)

# Versions are pinned in package-lock.json; the contract is copied each time. The example's dependency is a link to the SDK.
node() {
  npm_packages ../sdk/node
  npm run --prefix ../sdk/node --silent prepare
  npm_packages node
}

npm_packages() (
  cd "$1"
  cmp -s package-lock.json node_modules/.installed-lock.json && return
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.installed-lock.json
)

java() { java/build.sh; }

languages=("$@")
[[ $# -gt 0 ]] || languages=(python node java)
for language in "${languages[@]}"; do
  case $language in
    python | node | java) "$language" ;;
    *) echo "unknown language $language: use python, node or java" >&2 && exit 2 ;;
  esac
done
