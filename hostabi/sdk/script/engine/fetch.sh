#!/usr/bin/env bash
# fetch.sh: fetches the source of QuickJS that Cargo.lock pins, and prints its folder. Cargo verifies the checksum.
# It exits with 3 where cargo is too old for that, such as Debian 12's.
set -euo pipefail
cd "$(dirname "$0")"
version=$(cargo --version | sed 's/^cargo 1\.\([0-9]*\).*/\1/')
if ((version < 70)); then
  echo "fetch.sh: $(cargo --version) cannot read the registry's index: 1.70 or later is needed" >&2
  exit 3
fi
cargo fetch --locked --quiet
manifest=$(cargo metadata --locked --offline --format-version 1 |
  sed 's/.*"manifest_path":"\([^"]*rquickjs-sys-[^"]*\)\/Cargo.toml".*/\1/')
echo "$manifest/quickjs"
