import { Action, Address, CertificateInfo, Conn, ConnInfo, Delimiter, FrameError, Framer, Handler, Level, log, Message, Outcome, Piece, TimerType } from "../../assembly";
import { Answers } from "./answers";
import { AUTH, carryOut } from "./commands";
import { text } from "./words";

/** A connection and its state. */
export class Device extends Handler {
  framer: Framer;
  inLines: bool = true; // frames are lines
  count: u64 = 0;
  mountpoint: string = "";
  action: Action = Action.Continue;
  readonly answers: Answers = new Answers();

  constructor(
    conn: Conn,
    readonly config: Uint8Array,
    private lines: Delimiter,
  ) {
    super(conn);
    this.framer = lines.framer();
  }

  private flush(): Action {
    const answers = this.answers.take();
    if (answers.length > 0) this.conn.send(answers);
    const action = this.action;
    this.action = Action.Continue;
    return action;
  }

  onSocketCreated(info: ConnInfo): Action {
    const shown = info.peerCert;
    const cert = shown === null ? new CertificateInfo() : shown;
    const type = (<u32>info.socketType).toString();
    this.answers.say("created type=" + type + " peer=" + address(info.peer) + " local=" + address(info.local) + " cn=" + cert.cn + " dn=" + cert.dn);
    return this.flush();
  }

  onReceivedBytes(bytes: Uint8Array): Action {
    const piece = new Piece(bytes);
    while (this.action != Action.Close && this.framer.next(piece)) {
      if (this.inLines) this.line();
      else this.frame();
    }
    return this.flush();
  }

  private line(): void {
    this.count++;
    if (this.framer.error != FrameError.None) this.answers.say("error long");
    else if (this.framer.frame.length > 0) carryOut(this, this.framer.frame);
  }

  /** Answers a frame or error of a framer other than that of lines. */
  private frame(): void {
    const frame = this.framer.frame;
    if (this.framer.error == FrameError.TooLong) this.answers.say("frame error too_long");
    else if (this.framer.error == FrameError.Broken) this.answers.say("frame error broken");
    else if (frame.length == 5 && text(frame) == "lines") {
      this.framer = this.lines.framer();
      this.inLines = true;
      this.answers.say("ok");
    } else this.answers.say("frame " + hex(frame));
  }

  onTimerTimeout(timer: TimerType): Action {
    this.answers.say("timer " + (<u32>timer).toString());
    return this.flush();
  }

  onAlarm(id: u32): Action {
    this.answers.say("alarm " + id.toString());
    return this.flush();
  }

  onReceivedMessages(messages: Message[]): Action {
    for (let i = 0; i < messages.length; i++) {
      const m = messages[i];
      const head = "message node=" + m.node + " id=" + m.id + " qos=" + m.qos.toString() + " from=" + m.from + " topic=" + m.topic;
      this.answers.sayBytes(head + " at=" + m.timestamp.toString() + " payload=", m.payload);
    }
    return this.flush();
  }

  onResult(token: i64, outcome: Outcome): Action {
    const message = outcome.message.length > 0 ? " " + outcome.message : "";
    this.answers.say("result " + token.toString() + " " + (<u32>outcome.code).toString() + message);
    if (outcome.state.length > 0) this.answers.sayBytes("kept ", outcome.state);
    if (token == AUTH) this.conn.resume();
    return this.flush();
  }

  onDrain(): Action {
    this.answers.say("drain");
    return this.flush();
  }

  onSocketClosed(why: string): void {
    log(Level.Info, "closed " + why);
  }
}

function address(a: Address): string {
  return a.host + ":" + a.port.toString();
}

function hex(bytes: Uint8Array): string {
  let digits = "";
  for (let i = 0; i < bytes.length; i++) {
    digits += (bytes[i] >> 4).toString(16) + (bytes[i] & 15).toString(16);
  }
  return digits;
}
