#!/usr/bin/env bash
# build.sh FOLDER: builds every .wasm file that the repository keeps, from this checkout's sources into the same paths below FOLDER.
set -euo pipefail
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."

# PATH without wasm-opt, which clang would run where it finds one: the result must not depend on what else is installed.
c_guest() { # source module
  mkdir -p "$(dirname "$out/$2")"
  PATH=/usr/bin:/bin clang --target=wasm32 -std=c11 -Os -ffreestanding -nostdlib -mbulk-memory -Ihostabi/sdk/c -Wall -Wextra -Werror \
    -Wl,--no-entry -Wl,--stack-first -Wl,-z,stack-size=16384 -Wl,--strip-all -o "$out/$2" "$1"
  chmod 644 "$out/$2"
}

# One patch release of Go for everybody; the go command fetches it where another is installed.
export GOTOOLCHAIN=go1.26.8

go_guest() { # package module
  mkdir -p "$(dirname "$out/$2")"
  GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 GOFLAGS= go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags="-s -w -buildid=" \
    -o "$out/$2" "./$1"
  chmod 644 "$out/$2"
}

# Debian's rustc, which has one version for everybody. Rust's paths are cut off: they would differ from checkout to checkout.
rust_guest() { # source module
  local crate=$scratch/rust flags
  flags=(--edition 2021 --target wasm32-unknown-unknown -C opt-level=3 -C panic=abort -C codegen-units=1 -C strip=symbols --remap-path-prefix "$PWD=")
  mkdir -p "$crate" "$(dirname "$out/$2")"
  [[ -f $crate/libexproto.rlib ]] ||
    /usr/bin/rustc "${flags[@]}" --crate-name exproto --crate-type rlib -o "$crate/libexproto.rlib" hostabi/sdk/rust/src/lib.rs
  PATH=/usr/bin:/bin /usr/bin/rustc "${flags[@]}" --crate-name guest --crate-type cdylib -C lto -C link-arg=-zstack-size=65536 \
    --extern exproto="$crate/libexproto.rlib" -o "$out/$2" "$1"
  chmod 644 "$out/$2"
}

# The compiler whose exact version package-lock.json has; setup.sh there installs it where it is missing.
as_guest() { # source module, the source from the package's folder
  mkdir -p "$(dirname "$out/$2")"
  hostabi/sdk/assemblyscript/setup.sh
  node hostabi/sdk/assemblyscript/build.js "$out/$2" "$1"
  chmod 644 "$out/$2"
}

# The guest that runs scripts: QuickJS, whose source cargo fetches with the checksum of Cargo.lock, and our glue. libc and builtins are Debian's.
script_guest() { # module
  local engine=$scratch/script source flags
  mkdir -p "$engine" "$(dirname "$out/$1")"
  source=$(hostabi/sdk/script/engine/fetch.sh) || {
    [[ $? == 3 ]] || return 1
    echo "build.sh: $1 stays as it is" >&2
    [[ $out/$1 -ef $1 ]] || cp "$1" "$out/$1"
    return 0
  }
  flags=(--target=wasm32-wasi --sysroot=/usr -std=c11 -Os -mbulk-memory -fno-strict-aliasing -DNDEBUG -D_GNU_SOURCE -DQUICKJS_NG_BUILD
    "-I$source" "-I$engine" "-ffile-prefix-map=$source=quickjs" "-ffile-prefix-map=$PWD=.")
  for name in prelude collect; do
    od -An -v -tx1 "hostabi/sdk/script/guest/$name.js" | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g; $ s/,$//' >"$engine/$name.inc"
  done
  for name in libregexp libunicode dtoa; do PATH=/usr/bin:/bin clang "${flags[@]}" -w -c -o "$engine/$name.o" "$source/$name.c"; done
  PATH=/usr/bin:/bin clang "${flags[@]}" -w -c -o "$engine/engine.o" hostabi/sdk/script/guest/engine.c
  PATH=/usr/bin:/bin clang "${flags[@]}" -Wall -Wextra -Werror -c -o "$engine/script.o" hostabi/sdk/script/guest/script.c
  PATH=/usr/bin:/bin clang --target=wasm32-wasi --sysroot=/usr -mexec-model=reactor -Wl,--stack-first -Wl,-z,stack-size=524288 -Wl,--strip-all \
    -o "$out/$1" "$engine"/{engine,script,libregexp,libunicode,dtoa}.o
  chmod 644 "$out/$1"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

c_guest wasm-examples/line/line.c wasm-examples/line/line.wasm
c_guest hostabi/sdk/c/probe/probe.c hostabi/sdk/c/probe/probe.wasm
c_guest hostabi/sdk/c/testdata/bounds.c hostabi/sdk/c/testdata/bounds.wasm
c_guest hostabi/sdk/c/testdata/echo.c hostabi/sdk/c/testdata/echo.wasm
go_guest hostabi/sdk/go/probe hostabi/sdk/go/probe/probe.wasm
go_guest wasm-examples/jsonecho/guest wasm-examples/jsonecho/jsonecho.wasm
c_guest cmd/exgate/internal/bench/testdata/publish.c cmd/exgate/internal/bench/testdata/publish.wasm
c_guest hostabi/conformance/testdata/wrong.c hostabi/conformance/testdata/wrong.wasm
rust_guest hostabi/sdk/rust/examples/echo.rs hostabi/sdk/rust/testdata/echo.wasm
rust_guest hostabi/sdk/rust/examples/probe/lib.rs hostabi/sdk/rust/testdata/probe.wasm
as_guest examples/echo.ts hostabi/sdk/assemblyscript/testdata/echo.wasm
as_guest examples/probe/index.ts hostabi/sdk/assemblyscript/testdata/probe.wasm
script_guest hostabi/sdk/script/script.wasm
