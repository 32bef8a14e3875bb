import { Code, TimerType } from "./constants";
import * as host from "./host";
import { Writer } from "./wire";

/** What a protocol learned of its device. Only the client id is required. */
export class ClientInfo {
  protoName: string = "";
  protoVer: string = "";
  username: string = "";
  /** Put before the topics of this device, unless the gateway's configuration has one. */
  mountpoint: string = "";

  constructor(public clientid: string) {}
}

/**
 * The connection of one device. Its methods never wait and may be called in any event of any connection.
 *
 * authenticate, publish, subscribe and unsubscribe are answered by the broker. Where they return Success, onResult comes with their token, in a later
 * event. Tokens are the handler's choice and need not be unique; NO_ANSWER asks for none. Any other code refuses a call at once.
 */
export class Conn {
  /** The host's name for the connection. It is not used again by this instance. */
  constructor(readonly id: i64) {}

  /** Queues bytes for the device. It needs no authentication. */
  send(bytes: Uint8Array): Code {
    return <Code>host.send(this.id, bytes.dataStart, bytes.length);
  }

  /** Queues text as UTF-8. */
  sendText(text: string): Code {
    const bytes = String.UTF8.encode(text);
    return <Code>host.send(this.id, changetype<usize>(bytes), bytes.byteLength);
  }

  /** Closes the connection after what was sent is out; why is for the gateway's log. */
  close(why: string): Code {
    const bytes = String.UTF8.encode(why);
    return <Code>host.close(this.id, changetype<usize>(bytes), bytes.byteLength);
  }

  /** Sets or replaces the keepalive: onTimerTimeout comes when nothing was received for that many seconds, 1 or more. */
  startTimer(seconds: u32): Code {
    return <Code>host.startTimer(this.id, TimerType.Keepalive, seconds);
  }

  /** Reads the socket again after Action.Pause. */
  resume(): Code {
    return <Code>host.resume(this.id);
  }

  /** Opens the session at the broker. Return Action.Pause after it, and resume at its result: the device's next frames wait meanwhile. */
  authenticate(token: i64, client: ClientInfo, password: string = ""): Code {
    const secret = String.UTF8.encode(password);
    const texts = [client.protoName, client.protoVer, client.clientid, client.username, client.mountpoint];
    let room = 64;
    for (let i = 0; i < texts.length; i++) room += String.UTF8.byteLength(texts[i]);
    const info = new Writer(room);
    for (let i = 0; i < texts.length; i++) {
      const text = String.UTF8.encode(texts[i]);
      info.put(i + 1, changetype<usize>(text), text.byteLength);
    }
    const request = new Writer(info.length + secret.byteLength + 16);
    request.put(2, info.start, info.length);
    request.put(3, changetype<usize>(secret), secret.byteLength);
    const code = <Code>host.authenticate(this.id, token, request.start, request.length);
    memory.fill(request.start, 0, request.length);
    memory.fill(changetype<usize>(secret), 0, secret.byteLength);
    return code;
  }

  /** Sends a message to the broker. qos is 0, 1 or 2. */
  publish(token: i64, topic: string, qos: u32, payload: Uint8Array): Code {
    const to = String.UTF8.encode(topic);
    return <Code>host.publish(this.id, token, changetype<usize>(to), to.byteLength, qos, payload.dataStart, payload.length);
  }

  /** Asks for the messages that match filter. */
  subscribe(token: i64, filter: string, qos: u32): Code {
    const bytes = String.UTF8.encode(filter);
    return <Code>host.subscribe(this.id, token, changetype<usize>(bytes), bytes.byteLength, qos);
  }

  /** Ends a subscription. That of a filter which was not subscribed succeeds. */
  unsubscribe(token: i64, filter: string): Code {
    const bytes = String.UTF8.encode(filter);
    return <Code>host.unsubscribe(this.id, token, changetype<usize>(bytes), bytes.byteLength);
  }
}
