// The protocol of the operation frames of hostabi/sdk/vectors: a line is a command, or echoed.

import { Action, ClientInfo, Code, Conn, Delimiter, FrameError, FrameHandler, Handler } from "../assembly";
import { Outcome, Protocol, serve } from "../assembly";
export { exproto_v1_buffer, exproto_v1_init, exproto_v1_bytes, exproto_v1_event } from "../assembly";

const lines = Delimiter.lines(16);

class Lines extends Protocol {
  start(config: Uint8Array): string | null {
    return lines.check();
  }

  handler(conn: Conn): Handler {
    return new Device(conn, lines);
  }
}

class Device extends FrameHandler {
  onFrame(frame: Uint8Array): Action {
    const line = String.UTF8.decodeUnsafe(frame.dataStart, frame.length);
    if (line == "login") return this.logIn(new ClientInfo("c"));
    if (line == "wait") return Action.Pause;
    if (line == "bye") return Action.Close;
    if (line == "end") return this.close("asked");
    if (line == "resume") this.resume();
    else if (line == "call") {
      const token = this.answerTo((handler, outcome) => (<Device>handler).called(outcome));
      this.conn.publish(token, "t", 1, new Uint8Array(0));
    } else this.conn.sendText(line + "/");
    return Action.Continue;
  }

  onFrameError(error: FrameError): Action {
    this.conn.sendText("too long/");
    return Action.Continue;
  }

  onLogin(outcome: Outcome): Action {
    this.conn.sendText("login " + outcome.code.toString() + "/");
    if (outcome.code == Code.Limit) return Action.Pause;
    return outcome.ok || outcome.code == Code.Unsupported ? Action.Continue : Action.Close;
  }

  onAlarm(id: u32): Action {
    this.resume();
    return Action.Continue;
  }

  called(outcome: Outcome): Action {
    this.conn.sendText("called " + outcome.code.toString() + "/");
    if (outcome.ok) this.resume();
    return Action.Continue;
  }
}

serve(new Lines());
