import { Conn } from "./conn";
import { ConnInfo } from "./conninfo";
import { Action, TimerType } from "./constants";
import { Message } from "./message";
import { Outcome } from "./outcome";

/** A protocol. Each running instance of the module has one. */
export abstract class Protocol {
  /** The most connections of an instance. Further ones are closed, because exceeding the memory limit would end the instance and all its connections. */
  maxConnections: i32 = 10000;

  /** Called once, when the instance starts, with the module's configuration. If it returns a text, the instance logs it and does not start. */
  start(config: Uint8Array): string | null {
    return null;
  }

  /** Returns the handler of a new connection. onSocketCreated follows at once. */
  abstract handler(conn: Conn): Handler;
}

/**
 * Handles the events of one connection, with its state. Events are delivered one at a time and in order.
 *
 * An error ends the instance and every connection in it, so do not trust input from devices.
 */
export abstract class Handler {
  constructor(readonly conn: Conn) {}

  /** The first event. */
  onSocketCreated(info: ConnInfo): Action {
    return Action.Continue;
  }

  /** Bytes from the device: a part of a stream, or a datagram. They are in the receive buffer, and valid during the event only. */
  abstract onReceivedBytes(bytes: Uint8Array): Action;

  /** Nothing has been received for the time passed to startTimer. The connection is closed afterwards; bytes sent here still go out. */
  onTimerTimeout(timer: TimerType): Action {
    return Action.Close;
  }

  /** A timer of setTimer fired. */
  onAlarm(id: u32): Action {
    return Action.Continue;
  }

  /** Messages for the connection's subscriptions. */
  onReceivedMessages(messages: Message[]): Action {
    return Action.Continue;
  }

  /** The outcome of a call that was made with a token. */
  onResult(token: i64, outcome: Outcome): Action {
    return Action.Continue;
  }

  /** A newer version of the module is loaded, or the gateway stops. */
  onDrain(): Action {
    return Action.Continue;
  }

  /** The last event: why is one word such as tcp_closed. */
  onSocketClosed(why: string): void {}

  /** Passes the outcome of a call to onResult. FrameHandler overrides it. */
  answer(token: i64, outcome: Outcome): Action {
    return this.onResult(token, outcome);
  }

  /** Called at the end of each event but the last, with its action. FrameHandler overrides it. */
  after(action: Action): Action {
    return action;
  }
}
