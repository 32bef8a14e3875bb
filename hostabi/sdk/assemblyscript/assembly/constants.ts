/** The result of an event. */
export enum Action {
  /** Continue. */
  Continue = 0,
  /** Stop reading this socket until Conn.resume. Bytes that were already read are still delivered. */
  Pause = 1,
  /** Close the connection after sending the queued bytes. */
  Close = 2,
}

/** The result of a call. */
export enum Code {
  Success = 0,
  Unknown = 1,
  /** The connection is closed. */
  ConnProcessNotAlive = 2,
  RequiredParamsMissed = 3,
  ParamsTypeError = 4,
  PermissionDeny = 5,
  /** A limit of exgate was reached: try again later. */
  Limit = 16,
  Unsupported = 17,
}

/** The severity of a log line. */
export enum Level {
  Debug = -4,
  Info = 0,
  Warn = 4,
  Error = 8,
}

/** The type of a device's socket. */
export enum SocketType {
  TCP = 0,
  SSL = 1,
  UDP = 2,
  DTLS = 3,
}

/** A timer of a connection. */
export enum TimerType {
  /** The only timer of startTimer. */
  Keepalive = 0,
}

/** The token of calls without an answer. */
export const NO_ANSWER: i64 = 0;
