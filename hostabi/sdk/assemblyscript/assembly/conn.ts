import { Code, TimerType } from "./constants";
import * as host from "./host";
import { Properties } from "./properties";
import { Writer } from "./wire";

/** What a protocol knows about its device. Only the client id is required. */
export class ClientInfo {
  protoName: string = "";
  protoVer: string = "";
  username: string = "";
  /** Prepended to the topics of this device, unless the gateway's configuration sets one. */
  mountpoint: string = "";

  constructor(public clientid: string) {}
}

/**
 * The connection of one device. Its methods do not block and may be called in any event of any connection.
 *
 * The broker answers authenticate, publish, subscribe and unsubscribe. If they return Success, onResult is called with their token, in a later
 * event. The handler chooses tokens, which need not be unique; NO_ANSWER requests no answer. Any other code means that the call was refused.
 */
export class Conn {
  /** The host's id of the connection. This instance never sees it again. */
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

  /** Closes the connection after sending the queued bytes; why is for the gateway's log. */
  close(why: string): Code {
    const bytes = String.UTF8.encode(why);
    return <Code>host.close(this.id, changetype<usize>(bytes), bytes.byteLength);
  }

  /** Sets or replaces the keepalive: onTimerTimeout is called when nothing has been received for that many seconds, 1 or more. */
  startTimer(seconds: u32): Code {
    return <Code>host.startTimer(this.id, TimerType.Keepalive, seconds);
  }

  /**
   * Sets or replaces the one-shot timer id, 0 to 15: onAlarm is called once, after ms milliseconds, 10 or more. Negative ms cancels it. Nothing
   * is closed. A module that calls this needs a gateway with minor version 1 of the contract.
   */
  setTimer(id: u32, ms: i32): Code {
    return <Code>host.setTimer(this.id, id, ms);
  }

  /**
   * Replaces the state that the gateway keeps for this device and module: at most 4 KiB, unless it is configured otherwise. It comes back as
   * Outcome.state of the device's next authenticate, also after a restart and for a newer version of the module; an empty one deletes it. Save
   * whenever something has changed: what is saved within half a second is written once. With a token, onResult says when it is durable. A module
   * that calls this needs a gateway with minor version 1 of the contract; Code.Unsupported means that the gateway keeps no state.
   */
  saveState(token: i64, state: Uint8Array): Code {
    return <Code>host.saveState(this.id, token, state.dataStart, state.length);
  }

  /** Continues reading the socket after Action.Pause. */
  resume(): Code {
    return <Code>host.resume(this.id);
  }

  /** Opens the session at the broker. Return Action.Pause after it, and resume at its result, so that the device's next frames wait. */
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

  /**
   * Sends a message with properties to the broker. If the broker keeps no messages, retain is Code.Unsupported. A module that calls this needs a
   * gateway with minor version 1 of the contract.
   */
  publishWith(token: i64, topic: string, qos: u32, payload: Uint8Array, properties: Properties): Code {
    const to = String.UTF8.encode(topic);
    const props = properties.encode();
    const at = changetype<usize>(to);
    return <Code>host.publishWith(this.id, token, at, to.byteLength, qos, payload.dataStart, payload.length, props.start, props.length);
  }

  /** Subscribes to the messages that match filter. */
  subscribe(token: i64, filter: string, qos: u32): Code {
    const bytes = String.UTF8.encode(filter);
    return <Code>host.subscribe(this.id, token, changetype<usize>(bytes), bytes.byteLength, qos);
  }

  /** Ends a subscription. It succeeds even if there is none for filter. */
  unsubscribe(token: i64, filter: string): Code {
    const bytes = String.UTF8.encode(filter);
    return <Code>host.unsubscribe(this.id, token, changetype<usize>(bytes), bytes.byteLength);
  }
}
