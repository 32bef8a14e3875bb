import { Conn } from "./conn";
import { readConnInfo } from "./conninfo";
import { Action, Level, TimerType } from "./constants";
import { Handler, Protocol } from "./handler";
import { log } from "./host";
import { readMessages } from "./message";
import { readOutcome } from "./outcome";
import { Fields } from "./wire";

let protocol: Protocol | null = null;
let buffer: ArrayBuffer = new ArrayBuffer(0);
const handlers = new Map<i64, Handler>();

/** Sets the protocol of the module. Call it once, outside of any function. */
export function serve(p: Protocol): void {
  protocol = p;
}

/** The address where the host may write size bytes. */
export function exproto_v1_buffer(size: i32): usize {
  if (buffer.byteLength < size) buffer = new ArrayBuffer(size);
  return changetype<usize>(buffer);
}

/** The body of an event, which is valid until the export returns. */
function body(start: usize, n: i32): Uint8Array {
  return n == 0 ? new Uint8Array(0) : Uint8Array.wrap(buffer, <i32>(start - changetype<usize>(buffer)), n);
}

/** Starts the protocol. Returns 0, or 1 if it refused. */
export function exproto_v1_init(start: usize, n: i32): i32 {
  const p = protocol;
  const why = p === null ? "the module never called serve: call it outside of any function" : p.start(body(start, n));
  if (why === null) return 0;
  log(Level.Error, "starting: " + why);
  return 1;
}

/** Delivers bytes from a device. */
export function exproto_v1_bytes(conn: i64, start: usize, n: i32): Action {
  if (!handlers.has(conn)) return Action.Close;
  const handler = handlers.get(conn);
  return handler.after(handler.onReceivedBytes(body(start, n)));
}

/** Delivers any other event. */
export function exproto_v1_event(kind: i32, conn: i64, arg: i64, start: usize, n: i32): Action {
  const fields = new Fields(start, start + n);
  if (kind == 1) return created(conn, fields);
  if (!handlers.has(conn)) return kind == 2 ? Action.Continue : Action.Close;
  const handler = handlers.get(conn);
  let action = Action.Continue; // also for kinds of a later minor version
  switch (kind) {
    case 2:
      handlers.delete(conn);
      handler.onSocketClosed(String.UTF8.decodeUnsafe(start, n));
      return action;
    case 3:
      action = handler.onTimerTimeout(<TimerType>arg);
      break;
    case 4:
      const messages = readMessages(fields);
      action = messages === null ? malformed("messages") : handler.onReceivedMessages(messages);
      break;
    case 5:
      const outcome = readOutcome(fields);
      action = outcome === null ? malformed("result") : handler.answer(arg, outcome);
      break;
    case 6:
      action = handler.onDrain();
      break;
    case 7:
      action = handler.onAlarm(<u32>arg);
      break;
  }
  return handler.after(action);
}

function created(conn: i64, fields: Fields): Action {
  const info = readConnInfo(fields);
  const p = protocol!;
  if (info === null) return malformed("ConnInfo");
  if (handlers.size >= p.maxConnections) return Action.Close;
  const handler = p.handler(new Conn(conn));
  handlers.set(conn, handler);
  return handler.after(handler.onSocketCreated(info));
}

/** Closes a connection whose event was not encoded as agreed. */
function malformed(what: string): Action {
  log(Level.Error, "the host's " + what + " is malformed");
  return Action.Close;
}
