import type { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';

/** The result codes of the contract. */
export declare const Code: {
  readonly SUCCESS: 0;
  /** Any other failure, including a failed call of the adapter; see the message. */
  readonly UNKNOWN: 1;
  /** The connection does not exist or is closed. */
  readonly CONN_PROCESS_NOT_ALIVE: 2;
  /** A required field is empty. */
  readonly REQUIRED_PARAMS_MISSED: 3;
  /** A value is out of its range. */
  readonly PARAMS_TYPE_ERROR: 4;
  /** The broker or the gateway denied permission. */
  readonly PERMISSION_DENY: 5;
};

/** The result of a call. */
export declare class Result {
  readonly code: number;
  /** For a person; empty on success. */
  readonly message: string;
  /** Whether it succeeded. */
  get ok(): boolean;
}

export declare const SocketType: { readonly TCP: 0; readonly SSL: 1; readonly UDP: 2; readonly DTLS: 3 };

/** KEEPALIVE fires when the device has sent nothing for the interval. */
export declare const TimerType: { readonly KEEPALIVE: 0 };

export interface Address {
  host: string;
  port: number;
}

export interface ConnInfo {
  socktype: number;
  peername: Address;
  sockname: Address;
  /** null unless the device presented a certificate over TLS or DTLS. dn has the form of RFC 4514. */
  peercert: { cn: string; dn: string } | null;
  /** Names and values of what else the listener knows, such as the path of a WebSocket. Empty in dialects other than session. */
  properties: [string, string][];
}

/** What a handler knows about a device. mountpoint is prepended to the device's topics. */
export interface ClientInfo {
  clientid: string;
  username?: string;
  protoName?: string;
  protoVer?: string;
  mountpoint?: string;
}

/** What a message carries beside its topic, qos and payload, as in MQTT 5. Each is optional. */
export interface Properties {
  /** Asks the broker to keep the message. Of a received message: the broker had kept it. */
  retain?: boolean;
  /** Seconds; 0: the message does not expire. */
  expiry?: number;
  contentType?: string;
  /** Where an answer is expected. */
  responseTopic?: string;
  /** What an answer repeats. */
  correlation?: Uint8Array | string;
  /** Names and values; at most 64. */
  user?: [string, string][];
}

/** A message for one of the connection's subscriptions. */
export interface Message {
  topic: string;
  payload: Buffer;
  /** The publisher's. */
  qos: number;
  /** Unique. */
  id: string;
  /** The gateway's. */
  node: string;
  /** The publisher's client id, if the broker reports it. */
  from: string;
  /** Unix time in milliseconds. */
  timestamp: number;
  /** null without any, and in dialects other than session. */
  properties: (Required<Properties> & { correlation: Buffer }) | null;
}

/**
 * The connection of one device. Its methods may be called at any time, also inside a callback. They do not
 * reject if the gateway or broker refuses: see the Result.
 */
export declare abstract class Conn {
  /** The id of the connection: opaque, and never reused. */
  readonly id: string;
  constructor(id: string);
  /** Sends a command in the dialect of the connection, with the names and fields of the contract. */
  protected abstract command(name: string, fields: Record<string, unknown>): Promise<Result>;
  /** Queues bytes for the device. In the session dialect, success means that they are on their way to the gateway. */
  send(data: Uint8Array | string): Promise<Result>;
  /** Closes the connection after sending the queued bytes. onSocketClosed follows with the reason "normal". */
  close(): Promise<Result>;
  /** Opens the device's MQTT session. The result is the broker's. */
  authenticate(info: ClientInfo, password?: string): Promise<Result>;
  /** Sets or replaces a timer, in seconds, at least 1. If type is missing, TimerType.KEEPALIVE. */
  startTimer(interval: number, type?: number): Promise<Result>;
  /**
   * Sets or replaces the one-shot timer id, 0 to 15: onAlarm is called once after ms milliseconds, at least 10. Negative ms cancels it. Nothing
   * is closed. Timers stay with a connection that is resumed. Only in the session dialect, with a gateway that has timers.
   */
  setTimer(id: number, ms: number): Promise<Result>;
  /** What saveState saved last for this device and handler, as it came with the result of authenticate. Empty before that, and without any. */
  readonly state: Buffer;
  /**
   * Replaces the state that the gateway keeps for this device and handler: at most 4 KiB, unless it is configured otherwise. It comes back with the
   * device's next login, also after a restart; an empty one deletes it. It resolves once the state is durable, within a second. Only in the session
   * dialect, with a gateway that keeps state.
   */
  saveState(state: string | Uint8Array): Promise<Result>;
  /** Publishes as the authenticated device. At qos 1 and 2, success means that the broker has acknowledged the message. If qos is missing, 0. */
  publish(topic: string, payload: Uint8Array | string, qos?: number): Promise<Result>;
  /** Publishes with properties; see publish. The broker may refuse retain. Only in the session dialect, with a gateway that has properties. */
  publishWith(topic: string, payload: Uint8Array | string, properties: Properties, qos?: number): Promise<Result>;
  /** Publishes the answer to a message that has a response topic, with its correlation. The message may be kept and answered later. */
  answer(request: Pick<Message, 'properties'>, payload: Uint8Array | string, qos?: number): Promise<Result>;
  /** Adds a subscription, whose messages are passed to onReceivedMessages. $share/group/filter makes it shared. If qos is missing, 0. */
  subscribe(topic: string, qos?: number): Promise<Result>;
  /** Removes a subscription. It succeeds even if there is none. */
  unsubscribe(topic: string): Promise<Result>;
  /** Publishes without login, access rules and mountpoint. Refused unless the gateway's configuration allows it. */
  rawPublish(topic: string, payload: Uint8Array | string, qos?: number): Promise<Result>;
}

/**
 * Handles the events of one connection. The server creates one instance per connection and sets its conn.
 *
 * The callbacks of one connection run one at a time and in order, onSocketClosed last. Those of different connections run concurrently. If one
 * throws, its connection is closed.
 */
export declare class Handler {
  readonly conn: Conn;
  constructor(conn: Conn);
  /** The connection is open. */
  onSocketCreated(info: ConnInfo): Promise<void> | void;
  /**
   * The connection is open, but not new: another process, or this one before its stream to the gateway ended, has handled events of
   * it. client is what it authenticated with, and info describes it, if the dialect sends them (session). By default calls onSocketCreated.
   */
  onSocketResumed(info: ConnInfo, client: Required<ClientInfo> | null): Promise<void> | void;
  /** Bytes from the device: for TCP and TLS any part of the stream, for UDP and DTLS one datagram. */
  onReceivedBytes(data: Buffer): Promise<void> | void;
  /** A timer fired. The gateway closes the connection afterwards, once the queued bytes are sent. */
  onTimerTimeout(type: number): Promise<void> | void;
  /** A timer of setTimer fired. The connection stays open. Session dialect only. */
  onAlarm(id: number): Promise<void> | void;
  /** One or more messages for the connection's subscriptions. */
  onReceivedMessages(messages: Message[]): Promise<void> | void;
  /** The gateway stops or loads a newer configuration: finish what can be finished. Session dialect only. */
  onDrain(): Promise<void> | void;
  /** The connection is closed. The reason is one word such as tcp_closed, normal, keepalive_timeout or discarded. */
  onSocketClosed(reason: string): Promise<void> | void;
}

export interface Settings {
  /** The listen address, host:port, named in the gateway's handler.grpc. Port 0 selects a free port. */
  listen: string;
  /** The address of the gateway's adapter, host:port. The session dialect needs none. */
  adapter?: string;
  /** TLS of the server. If missing, plain text. */
  credentials?: ServerCredentials;
  /** TLS for calls of the adapter. If missing, plain text. */
  adapterCredentials?: ChannelCredentials;
  /** The token required from gateways. If missing, none. */
  token?: string;
  /** The token sent to the adapter. If missing, none. */
  adapterToken?: string;
  /** The timeout for a call of the adapter, in milliseconds. If missing, 30,000. */
  callTimeout?: number;
  /** Called for failed callbacks. If missing, console.error. */
  log?: (message: string, error: unknown) => void;
}

/** Serves ConnectionUnaryHandler, ConnectionHandler and SessionHandler to any number of gateways, with health and reflection. */
export declare class Server {
  constructor(handler: new (conn: Conn) => Handler, settings: Settings);
  /** Starts serving and resolves to the listen address, host:port. Rejects if it cannot listen. */
  start(): Promise<string>;
  /** Rejects new events, waits up to grace milliseconds for running callbacks, and stops. If grace is missing, 5,000. */
  stop(grace?: number): Promise<void>;
}

/** Runs a Server until SIGINT or SIGTERM, and prints a line once it is ready. */
export declare function run(handler: new (conn: Conn) => Handler, settings: Settings): Promise<void>;
