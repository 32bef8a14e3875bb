import { Action, ClientInfo, Code, Level, log, NO_ANSWER, parseRules, Properties, Property } from "../../assembly";
import { Device } from "./device";
import { text, Words } from "./words";

// The tokens of calls that the broker answers.
export const AUTH: i64 = 1;
const PUB: i64 = 2;
const SUB: i64 = 3;
const UNSUB: i64 = 4;
const SAVE: i64 = 5;

/** The largest frame of a framer chosen by a device, in bytes. */
const MOST: i32 = 4096;

/** Executes one line. */
export function carryOut(d: Device, line: Uint8Array): void {
  const w = new Words(line);
  const command = w.word();
  if (!calls(d, command, w) && !local(d, command, w)) d.answers.say("error command");
}

/** Whether the line is correct; otherwise answers the error. */
function right(d: Device, w: Words): bool {
  if (!w.whole) d.answers.say("error usage");
  return w.whole;
}

/** Answers ok to an accepted call that is answered at once, or the code of a refused one. */
function answer(d: Device, name: string, code: Code, ok: bool): void {
  if (code != Code.Success) d.answers.say("refused " + name + " " + (<u32>code).toString());
  else if (ok) d.answers.say("ok");
}

/** The commands that call the gateway. */
function calls(d: Device, command: string, w: Words): bool {
  if (command == "auth") auth(d, w);
  else if (command == "pub") publish(d, command, w, PUB);
  else if (command == "pubp") publishWith(d, w);
  else if (command == "answer") answerTo(d, w);
  else if (command == "quiet") publish(d, command, w, NO_ANSWER);
  else if (command == "timer") {
    const seconds = w.number();
    if (right(d, w)) answer(d, command, d.conn.startTimer(seconds), true);
  } else if (command == "alarm") {
    const id = w.number();
    const ms = w.number();
    if (right(d, w)) answer(d, command, d.conn.setTimer(id, <i32>ms), true);
  } else if (command == "save") {
    const state = w.rest();
    if (right(d, w)) answer(d, command, d.conn.saveState(SAVE, state), false);
  } else if (command == "sub") {
    const filter = w.word();
    const qos = w.number();
    if (right(d, w)) answer(d, command, d.conn.subscribe(SUB, filter, qos), false);
  } else if (command == "unsub") {
    const filter = w.word();
    if (right(d, w)) answer(d, command, d.conn.unsubscribe(UNSUB, filter), false);
  } else if (command == "resume") {
    if (right(d, w)) answer(d, command, d.conn.resume(), true);
  } else if (command == "close") {
    const why = text(w.rest());
    if (right(d, w)) answer(d, command, d.conn.close(why), false);
  } else return false;
  return true;
}

function auth(d: Device, w: Words): void {
  const client = new ClientInfo(w.word());
  client.protoName = "probe";
  client.protoVer = "1";
  client.mountpoint = d.mountpoint;
  if (w.more) client.username = w.word();
  const password = text(w.rest());
  if (!right(d, w)) return;
  const code = d.conn.authenticate(AUTH, client, password);
  answer(d, "auth", code, false);
  if (code == Code.Success) d.action = Action.Pause;
}

function publish(d: Device, name: string, w: Words, token: i64): void {
  const topic = w.word();
  const qos = w.number();
  const payload = w.rest();
  if (right(d, w)) answer(d, name, d.conn.publish(token, topic, qos, payload), token == NO_ANSWER);
}

function publishWith(d: Device, w: Words): void {
  const topic = w.word();
  const qos = w.number();
  const p = new Properties();
  p.retain = w.number() != 0;
  p.expiry = w.number();
  p.contentType = optional(w);
  p.responseTopic = optional(w);
  const correlation = String.UTF8.encode(optional(w));
  p.correlation = Uint8Array.wrap(correlation);
  const user = new Property(optional(w), optional(w));
  if (user.name.length > 0 || user.value.length > 0) p.user.push(user);
  const payload = w.rest();
  if (right(d, w)) answer(d, "pubp", d.conn.publishWith(PUB, topic, qos, payload, p), false);
}

/** The next word; - stands for none. */
function optional(w: Words): string {
  const word = w.word();
  return word == "-" ? "" : word;
}

function answerTo(d: Device, w: Words): void {
  const qos = w.number();
  const payload = w.rest();
  if (right(d, w)) answer(d, "answer", d.request.answer(d.conn, PUB, qos, payload), false);
}

/** The other commands. */
function local(d: Device, command: string, w: Words): bool {
  if (command == "echo") d.answers.sayBytes("", w.rest());
  else if (command == "frame") reframe(d, text(w.rest()));
  else if (command == "log") logLine(d, w);
  else if (command == "mount") {
    const prefix = w.bytes();
    w.require(prefix.length <= 64);
    if (!right(d, w)) return true;
    d.mountpoint = text(prefix);
    d.answers.say("ok");
  } else if (command == "config") {
    if (right(d, w)) d.answers.sayBytes("config ", d.config);
  } else if (command == "state") {
    if (right(d, w)) d.answers.say("state " + d.count.toString());
  } else if (command == "pause") {
    if (right(d, w)) d.action = Action.Pause;
  } else if (command == "leave") {
    if (right(d, w)) d.action = Action.Close;
  } else if (command == "trap") {
    if (right(d, w)) throw new Error("the device wants it");
  } else return false;
  return true;
}

function logLine(d: Device, w: Words): void {
  const names = ["debug", "info", "warn", "error"];
  const level = names.indexOf(w.word());
  w.require(level >= 0);
  const line = text(w.rest());
  if (!right(d, w)) return;
  log(<Level>(4 * level + Level.Debug), line);
  d.answers.say("ok");
}

/** Switches to another framer. */
function reframe(d: Device, notation: string): void {
  const rules = parseRules(notation);
  if (rules === null || rules.most() > MOST || rules.check() !== null) {
    d.answers.say("error framing");
    return;
  }
  d.framer = rules.framer();
  d.inLines = false;
  d.answers.say("ok");
}
