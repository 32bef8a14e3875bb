import { ClientInfo, Conn } from "./conn";
import { Action, Code, NO_ANSWER } from "./constants";
import { Framer, FrameError, Kept, Piece, Rules } from "./framing/framing";
import { Handler } from "./handler";
import { Outcome } from "./outcome";

/** The most bytes that wait while frames are paused: what one event brings. A device that sends more is closed. */
export const MAX_HELD: i32 = 64 << 10;

/** The most frames of one event, because the calls of an event are limited. A device that sends more is closed. */
export const MAX_FRAMES: i32 = 4096;

/** The token of logIn. Those of answerTo are larger, those of handlers must be smaller. */
export const LOGIN: i64 = 1 << 32;

/** The most functions of a module that are callbacks. */
export const MAX_CALLBACKS: i32 = 64;

// The addresses of the functions: the type of the functions would compile FrameHandler into every module.
let callbacks: StaticArray<usize> | null = null;
let known: i32 = 0;

/**
 * Handles the events of one connection whose stream has frames: it splits it, holds what follows a login until its
 * answer, and keeps what arrives after Action.Pause.
 */
export abstract class FrameHandler extends Handler {
  private readonly framer: Framer;
  private readonly held: Kept = new Kept(); // what waits while frames are paused
  private frames: i32 = 0; // of this event
  private paused: bool = false; // frames wait
  private login: bool = false; // in progress
  private refused: Code = Code.Success; // the login, at once
  private stopped: bool = false; // the gateway does not read the socket
  private closed: bool = false;

  /** @param rules how the stream is split; they must have been checked */
  constructor(conn: Conn, rules: Rules) {
    super(conn);
    this.framer = rules.framer();
  }

  /** One frame, which is valid during the event. After Action.Pause, frames wait for resume. */
  abstract onFrame(frame: Uint8Array): Action;

  /** A frame that is too long or broken. Continue skips it; by default the connection is closed. */
  onFrameError(error: FrameError): Action {
    return Action.Close;
  }

  /** The outcome of logIn. Frames continue with Continue. By default a refusal closes the connection. */
  onLogin(outcome: Outcome): Action {
    return outcome.ok ? Action.Continue : Action.Close;
  }

  /**
   * Opens the session at the broker. Frames wait until onLogin, which is called with the broker's answer or the
   * gateway's refusal. Return the action: it is Pause, or Close if a login is in progress.
   */
  logIn(client: ClientInfo, password: string = ""): Action {
    if (this.login) return Action.Close;
    this.login = this.paused = true;
    this.refused = this.conn.authenticate(LOGIN, client, password);
    return Action.Pause;
  }

  /**
   * Returns a token whose outcome goes to done, a function without closure, with this handler. After MAX_CALLBACKS
   * different functions it is NO_ANSWER.
   */
  answerTo(done: (handler: FrameHandler, outcome: Outcome) => Action): i64 {
    let all = callbacks;
    if (all === null) callbacks = all = new StaticArray<usize>(MAX_CALLBACKS);
    const address = changetype<usize>(done);
    let i = 0;
    while (i < known && all[i] != address) i++;
    if (i == MAX_CALLBACKS) return NO_ANSWER;
    if (i == known) all[known++] = address;
    return LOGIN + 1 + i;
  }

  /** Continues with the frames after Action.Pause, and with reading the socket, when the event ends. */
  resume(): void {
    this.paused = this.login;
  }

  /**
   * Closes the connection after sending the queued bytes, and drops the frames that wait; why is for the gateway's log.
   */
  close(why: string): Action {
    this.closed = true;
    this.conn.close(why);
    return Action.Close;
  }

  /** Splits what was received. */
  onReceivedBytes(bytes: Uint8Array): Action {
    if (this.closed) return Action.Close;
    return this.paused ? this.hold(bytes) : this.feed(bytes);
  }

  /** Passes an outcome to onLogin, its callback or onResult. */
  answer(token: i64, outcome: Outcome): Action {
    if (token == LOGIN && this.login) return this.loggedIn(outcome);
    if (token < LOGIN) return this.onResult(token, outcome);
    const i = token - LOGIN - 1;
    if (i < 0 || i >= known) return Action.Continue;
    const done = changetype<(handler: FrameHandler, outcome: Outcome) => Action>(callbacks![<i32>i]);
    return done(this, outcome);
  }

  private loggedIn(outcome: Outcome): Action {
    this.login = this.paused = false;
    return this.onLogin(outcome);
  }

  private hold(bytes: Uint8Array): Action {
    if (this.held.length + bytes.length > MAX_HELD) return this.close("more than 64 KiB wait for an answer");
    if (bytes.length > 0) this.held.add(bytes, bytes.length);
    return Action.Continue;
  }

  /** Handles the frames of bytes, up to one that pauses. */
  private feed(bytes: Uint8Array): Action {
    const piece = new Piece(bytes);
    while (this.framer.next(piece)) {
      if (++this.frames > MAX_FRAMES) return this.close("more than 4096 frames at once");
      const error = this.framer.error;
      const action = error == FrameError.None ? this.onFrame(this.framer.frame) : this.onFrameError(error);
      if (action == Action.Close || this.closed) return Action.Close;
      if (action == Action.Pause || this.paused) {
        this.paused = true;
        return this.hold(piece.rest());
      }
    }
    return Action.Continue;
  }

  /** Ends each event: handles what the event made ready, and returns the action for the gateway. */
  after(action: Action): Action {
    while (true) {
      if (action == Action.Pause) this.paused = true;
      if (action == Action.Close || this.closed) {
        this.closed = true;
        this.held.clear();
        return Action.Close;
      }
      if (this.refused != Code.Success) {
        const outcome = new Outcome();
        outcome.code = this.refused;
        this.refused = Code.Success;
        action = this.loggedIn(outcome);
      } else if (!this.paused && this.held.length > 0) {
        action = this.feed(this.held.take());
      } else break;
    }
    this.frames = 0;
    if (this.stopped && !this.paused) this.conn.resume();
    this.stopped = this.paused;
    return this.paused ? Action.Pause : Action.Continue;
  }
}
