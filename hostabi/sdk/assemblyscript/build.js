// build.js OUTPUT SOURCE: compiles a module of this package; without arguments, all modules for the tests into build/.

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";

const flags = ["-O3", "--runtime", "incremental", "--exportStart", "_initialize", "--use", "abort=assembly/abort/abort"];

function build(output, source, ...more) {
  mkdirSync(path.dirname(output), { recursive: true });
  execFileSync("node", ["node_modules/assemblyscript/bin/asc.js", source, ...flags, ...more, "-o", output], { stdio: "inherit" });
}

const [output, source] = process.argv.slice(2);
process.chdir(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname));
if (output) build(output, source);
else {
  build("build/echo.wasm", "examples/echo.ts");
  build("build/probe.wasm", "examples/probe/index.ts");
  build("build/framing.wasm", "tests/framing.ts", "--exportRuntime");
  build("build/operations.wasm", "tests/operations.ts", "--exportRuntime");
  build("build/frames.wasm", "tests/frames.ts");
}
