import { Action, Address, CertificateInfo, Conn, ConnInfo, Delimiter, FrameError, Framer, Handler, Level, log, Message, Outcome, Piece, Properties, Property, Request, TimerType } from "../../assembly";
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
  request: Request = new Request("", new Uint8Array(0)); // of the last message that was one

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
    this.answers.say("created type=" + type + " peer=" + address(info.peer) + " local=" + address(info.local) + " cn=" + cert.cn + " dn=" + cert.dn + named(info.properties));
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
      this.answers.put(head + " at=" + m.timestamp.toString() + " payload=");
      this.answers.putBytes(m.payload);
      this.properties(m.properties);
      this.answers.say("");
      const request = Request.of(m.properties);
      if (request !== null) this.request = request;
    }
    return this.flush();
  }

  /** Adds the properties that are set. */
  private properties(p: Properties): void {
    if (p.retain) this.answers.put(" retain=1");
    if (p.expiry > 0) this.answers.put(" expiry=" + p.expiry.toString());
    if (p.contentType.length > 0) this.answers.put(" type=" + p.contentType);
    if (p.responseTopic.length > 0) this.answers.put(" response=" + p.responseTopic);
    if (p.correlation.length > 0) {
      this.answers.put(" correlation=");
      this.answers.putBytes(p.correlation);
    }
    this.answers.put(named(p.user));
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

function named(all: Property[]): string {
  let line = "";
  for (let i = 0; i < all.length; i++) line += " " + all[i].name + "=" + all[i].value;
  return line;
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
