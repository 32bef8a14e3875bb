#!/usr/bin/env bash
# check.sh: builds every module into a temporary folder and compares it with the committed one.
set -euo pipefail
cd "$(dirname "$0")"
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
./build.sh "$fresh"
stale=0
while read -r module; do
  if ! cmp "$fresh/$module" "../$module"; then
    echo "$module is not what its source builds here: run the task wasm:build and commit it" >&2
    stale=1
  fi
done < <(cd "$fresh" && find . -name '*.wasm' | sort)
exit $stale
