#!/usr/bin/env bash
# build.sh: build the handler package and the example, jsonecho/target/jsonecho.jar, and run their tests. It does nothing where the jar is newer than
# what it is built of.
# build.sh ARGUMENT...: what Maven is to do instead, such as: build.sh install.
set -euo pipefail
cd "$(dirname "$0")"

jar=jsonecho/target/jsonecho.jar
sources=(pom.xml */pom.xml */src ../../exproto/exproto.proto ../../exgate/handler/v1/handler.proto)

if [[ $# -gt 0 ]]; then exec mvn --batch-mode --no-transfer-progress "$@"; fi
if [[ -f $jar && -z $(find "${sources[@]}" -type f -newer "$jar" -print -quit) ]]; then exit 0; fi
exec mvn --batch-mode --no-transfer-progress clean package
