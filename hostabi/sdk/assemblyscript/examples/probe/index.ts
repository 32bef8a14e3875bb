// The protocol of hostabi/conformance/probe.md. It uses all of the SDK; wasm-examples/build.sh builds it.

import { Conn, Delimiter, Handler, Protocol, serve } from "../../assembly";
import { Device } from "./device";
export { exproto_v1_buffer, exproto_v1_init, exproto_v1_bytes, exproto_v1_event } from "../../assembly";

class Probe extends Protocol {
  private config: Uint8Array = new Uint8Array(0);
  private lines: Delimiter = Delimiter.lines(1024);

  start(config: Uint8Array): string | null {
    if (config.length >= 6 && String.UTF8.decodeUnsafe(config.dataStart, 6) == "refuse") return "the configuration says so";
    this.config = config.slice(0);
    return this.lines.check();
  }

  handler(conn: Conn): Handler {
    return new Device(conn, this.config, this.lines);
  }
}

serve(new Probe());
