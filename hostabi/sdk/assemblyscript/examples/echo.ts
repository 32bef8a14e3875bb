// Echoes what a device sends.

import { Action, Code, Conn, Handler, Protocol, serve } from "../assembly";
export { exproto_v1_buffer, exproto_v1_init, exproto_v1_bytes, exproto_v1_event } from "../assembly";

class Echo extends Protocol {
  handler(conn: Conn): Handler {
    return new Device(conn);
  }
}

class Device extends Handler {
  onReceivedBytes(bytes: Uint8Array): Action {
    return this.conn.send(bytes) == Code.Success ? Action.Continue : Action.Close;
  }
}

serve(new Echo());
