import type { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';

/** Why the gateway refused, in the contract's words. */
export declare const Code: {
  readonly SUCCESS: 0;
  /** Any other failure, also of the adapter's connection; the message tells. */
  readonly UNKNOWN: 1;
  /** The connection does not exist or is closed. */
  readonly CONN_PROCESS_NOT_ALIVE: 2;
  /** A required field is empty. */
  readonly REQUIRED_PARAMS_MISSED: 3;
  /** A value is out of its range. */
  readonly PARAMS_TYPE_ERROR: 4;
  /** The broker or the gateway does not allow it. */
  readonly PERMISSION_DENY: 5;
};

/** The outcome of what a handler asks of the gateway. */
export declare class Result {
  readonly code: number;
  /** For a person; empty on success. */
  readonly message: string;
  /** Whether it succeeded. */
  get ok(): boolean;
}

export declare const SocketType: { readonly TCP: 0; readonly SSL: 1; readonly UDP: 2; readonly DTLS: 3 };

/** KEEPALIVE fires when the device sent nothing for the interval. */
export declare const TimerType: { readonly KEEPALIVE: 0 };

export interface Address {
  host: string;
  port: number;
}

export interface ConnInfo {
  socktype: number;
  peername: Address;
  sockname: Address;
  /** null unless the device sent a certificate, over TLS or DTLS. dn is in RFC 4514 form. */
  peercert: { cn: string; dn: string } | null;
}

/** What a handler learned of a device. mountpoint prefixes the device's topics. */
export interface ClientInfo {
  clientid: string;
  username?: string;
  protoName?: string;
  protoVer?: string;
  mountpoint?: string;
}

/** A message of one of the connection's subscriptions. */
export interface Message {
  topic: string;
  payload: Buffer;
  /** The publisher's. */
  qos: number;
  /** Unique. */
  id: string;
  /** The gateway's. */
  node: string;
  /** The publisher's client id, where the broker tells it. */
  from: string;
  /** Unix time in milliseconds. */
  timestamp: number;
}

/**
 * One device's connection, and what the gateway can do for it. Its methods can be called inside a callback and at any other time. None
 * rejects for what goes wrong: the Result tells.
 */
export declare abstract class Conn {
  /** The connection's name: opaque, and never reused. */
  readonly id: string;
  constructor(id: string);
  /** What a dialect does with a command: its name and fields are the contract's. */
  protected abstract command(name: string, fields: Record<string, unknown>): Promise<Result>;
  /** Queues bytes for the device. In the session dialect success says that they are on their way to the gateway. */
  send(data: Uint8Array | string): Promise<Result>;
  /** Ends the connection after what send queued went out. onSocketClosed follows with the reason "normal". */
  close(): Promise<Result>;
  /** Opens the device's MQTT session; the answer is the broker's. */
  authenticate(info: ClientInfo, password?: string): Promise<Result>;
  /** Sets or replaces a timer of so many seconds, at least 1. If type is missing, TimerType.KEEPALIVE. */
  startTimer(interval: number, type?: number): Promise<Result>;
  /** Publishes as the authenticated device. At qos 1 and 2 success says that the broker has the message. If qos is missing, 0. */
  publish(topic: string, payload: Uint8Array | string, qos?: number): Promise<Result>;
  /** Adds a subscription; its messages come to onReceivedMessages. $share/group/filter shares it. If qos is missing, 0. */
  subscribe(topic: string, qos?: number): Promise<Result>;
  /** Removes a subscription. Removing one that does not exist succeeds. */
  unsubscribe(topic: string): Promise<Result>;
  /** Publishes past login, access control and mountpoint: refused unless the gateway's configuration allows it. */
  rawPublish(topic: string, payload: Uint8Array | string, qos?: number): Promise<Result>;
}

/**
 * The handler of one connection: the server makes one for each, with its conn.
 *
 * The callbacks of one connection run one at a time, in order, onSocketClosed last; those of different connections run side by side. One that
 * throws costs its device the connection.
 */
export declare class Handler {
  readonly conn: Conn;
  constructor(conn: Conn);
  /** The connection is there. */
  onSocketCreated(info: ConnInfo): Promise<void> | void;
  /**
   * The connection is there, but lived before: another process, or this one before its stream to the gateway broke, has handled events of
   * it. client is what it authenticated with, where the dialect tells (session), and then so is info. If not overridden, onSocketCreated.
   */
  onSocketResumed(info: ConnInfo, client: Required<ClientInfo> | null): Promise<void> | void;
  /** What the device sent: for TCP and TLS any piece of its stream, for UDP and DTLS one datagram. */
  onReceivedBytes(data: Buffer): Promise<void> | void;
  /** A timer fired. The gateway closes the connection after this, once what was sent is out. */
  onTimerTimeout(type: number): Promise<void> | void;
  /** Messages of the connection's subscriptions: one or more. */
  onReceivedMessages(messages: Message[]): Promise<void> | void;
  /** The gateway stops or makes room for a newer configuration: a chance to end the device's business. Session dialect only. */
  onDrain(): Promise<void> | void;
  /** The connection is gone, for a reason of one word such as tcp_closed, normal, keepalive_timeout or discarded. */
  onSocketClosed(reason: string): Promise<void> | void;
}

export interface Settings {
  /** What the gateway's setting handler.grpc names, as host:port. Port 0 takes a free one. */
  listen: string;
  /** The gateway's adapter, as host:port. The session dialect needs none. */
  adapter?: string;
  /** TLS of the server. If missing, plain text. */
  credentials?: ServerCredentials;
  /** TLS to the adapter. If missing, plain text. */
  adapterCredentials?: ChannelCredentials;
  /** What gateways must present. If missing, nothing. */
  token?: string;
  /** What is presented to the adapter. If missing, nothing. */
  adapterToken?: string;
  /** How long a call of the adapter may take, in milliseconds. If missing, 30,000. */
  callTimeout?: number;
  /** Takes callbacks that failed. If missing, console.error. */
  log?: (message: string, error: unknown) => void;
}

/** Serves ConnectionUnaryHandler, ConnectionHandler and SessionHandler to any number of gateways, with health and reflection. */
export declare class Server {
  constructor(handler: new (conn: Conn) => Handler, settings: Settings);
  /** Serves, and resolves to the address as host:port. Rejects where the address cannot be listened on. */
  start(): Promise<string>;
  /** Refuses new events, waits so many milliseconds for callbacks under way, and ends. If grace is missing, 5,000. */
  stop(grace?: number): Promise<void>;
}

/** Runs a Server until SIGINT or SIGTERM, and prints a line when it serves. */
export declare function run(handler: new (conn: Conn) => Handler, settings: Settings): Promise<void>;
