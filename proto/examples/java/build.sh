#!/usr/bin/env bash
# build.sh: builds the handler package and the example, jsonecho/target/jsonecho.jar, and runs their tests. It does nothing if the jar is newer than its sources.
# build.sh ARGUMENT...: runs Maven with these arguments instead, such as: build.sh install.
set -euo pipefail
cd "$(dirname "$0")"

sdk=../../sdk/java
jar=jsonecho/target/jsonecho.jar
sources=(pom.xml jsonecho/pom.xml jsonecho/src $sdk/pom.xml $sdk/handler/pom.xml $sdk/handler/src ../../exproto/exproto.proto ../../exgate/handler/v1/handler.proto)

if [[ $# -gt 0 ]]; then exec mvn --batch-mode --no-transfer-progress "$@"; fi
if [[ -f $jar && -z $(find "${sources[@]}" -type f -newer "$jar" -print -quit) ]]; then exit 0; fi
exec mvn --batch-mode --no-transfer-progress clean package
