#!/usr/bin/env bash
# setup.sh [hivemq|nats...]: prepares the brokers that the tests of connectors run beside mosquitto, all of them unless told. What is there already
# is kept. Versions are pinned in hivemq/pom.xml and .tools/brokers/go.mod.
set -euo pipefail
cd "$(dirname "$0")"

hivemq() (
  cd hivemq
  jar=target/hivemq.jar
  [[ -f $jar && -z $(find pom.xml src -type f -newer "$jar" -print -quit) ]] || mvn --batch-mode --no-transfer-progress --quiet clean package
)

# The tests build it too, from what the caches of Go have then.
nats() { go tool -modfile=../../../.tools/brokers/go.mod -n nats-server >/dev/null; }

brokers=("$@")
[[ $# -gt 0 ]] || brokers=(hivemq nats)
for broker in "${brokers[@]}"; do
  case $broker in
    hivemq | nats) "$broker" ;;
    *) echo "no broker $broker; there are hivemq and nats" >&2 && exit 2 ;;
  esac
done
