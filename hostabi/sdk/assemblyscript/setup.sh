#!/usr/bin/env bash
# setup.sh: installs the compiler, in the version of package-lock.json. What is there already is kept.
set -euo pipefail
cd "$(dirname "$0")"
cmp -s package-lock.json node_modules/.installed-lock.json && exit 0
npm ci --no-audit --no-fund --loglevel=error
cp package-lock.json node_modules/.installed-lock.json
