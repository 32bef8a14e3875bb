import { Level } from "./constants";

// The imports of exproto_v1. The host copies the data of a pointer and length before it returns, and does not enter the
// module meanwhile.

@external("exproto_v1", "send")
export declare function send(conn: i64, bytes: usize, n: i32): i32;

@external("exproto_v1", "close")
export declare function close(conn: i64, why: usize, n: i32): i32;

@external("exproto_v1", "authenticate")
export declare function authenticate(conn: i64, token: i64, request: usize, n: i32): i32;

@external("exproto_v1", "start_timer")
export declare function startTimer(conn: i64, timer: i32, seconds: u32): i32;

@external("exproto_v1", "set_timer")
export declare function setTimer(conn: i64, id: u32, ms: i32): i32;

@external("exproto_v1", "save_state")
export declare function saveState(conn: i64, token: i64, state: usize, n: i32): i32;

@external("exproto_v1", "publish")
export declare function publish(conn: i64, token: i64, topic: usize, topicN: i32, qos: u32, payload: usize, n: i32): i32;

@external("exproto_v1", "publish_with")
// prettier-ignore
export declare function publishWith(conn: i64, token: i64, topic: usize, topicN: i32, qos: u32, payload: usize, n: i32, props: usize, propsN: i32): i32;

@external("exproto_v1", "subscribe")
export declare function subscribe(conn: i64, token: i64, filter: usize, n: i32, qos: u32): i32;

@external("exproto_v1", "unsubscribe")
export declare function unsubscribe(conn: i64, token: i64, filter: usize, n: i32): i32;

@external("exproto_v1", "resume")
export declare function resume(conn: i64): i32;

@external("exproto_v1", "log")
declare function writeLog(level: i32, text: usize, n: i32): void;

/** Writes a line to the gateway's log, which limits the rate. */
export function log(level: Level, text: string): void {
  const bytes = String.UTF8.encode(text);
  writeLog(level, changetype<usize>(bytes), bytes.byteLength);
}
