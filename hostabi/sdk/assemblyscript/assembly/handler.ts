import { Conn } from "./conn";
import { ConnInfo } from "./conninfo";
import { Action, TimerType } from "./constants";
import { Message } from "./message";
import { Outcome } from "./outcome";

/** A protocol: one for each running instance of the module. */
export abstract class Protocol {
  /** How many connections an instance takes. Further ones are closed: what is allocated beyond the memory limit ends the instance and all of them. */
  maxConnections: i32 = 10000;

  /** Called once, when the instance starts, with the module's configuration. A text refuses to start and is logged. */
  start(config: Uint8Array): string | null {
    return null;
  }

  /** Makes the handler of a new connection. onSocketCreated follows at once. */
  abstract handler(conn: Conn): Handler;
}

/**
 * The protocol side of one connection, with its state. Events come one at a time and in order.
 *
 * An error that aborts ends the instance and every connection in it: everything that a device sends is hostile.
 */
export abstract class Handler {
  constructor(readonly conn: Conn) {}

  /** The first event. */
  onSocketCreated(info: ConnInfo): Action {
    return Action.Continue;
  }

  /** What the device sent: a piece of a stream, or a datagram. The bytes are those of the receive buffer, and valid during the event only. */
  abstract onReceivedBytes(bytes: Uint8Array): Action;

  /** Nothing was received for the time given to startTimer. The connection is closed after it; what it sends still goes out. */
  onTimerTimeout(timer: TimerType): Action {
    return Action.Close;
  }

  /** Messages of the connection's subscriptions. */
  onReceivedMessages(messages: Message[]): Action {
    return Action.Continue;
  }

  /** How a call that was made with a token ended. */
  onResult(token: i64, outcome: Outcome): Action {
    return Action.Continue;
  }

  /** A newer version of the module is loaded, or the gateway stops. */
  onDrain(): Action {
    return Action.Continue;
  }

  /** The last event: why is one word such as tcp_closed. */
  onSocketClosed(why: string): void {}
}
