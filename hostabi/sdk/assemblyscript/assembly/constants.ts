/** What an event returns. */
export enum Action {
  /** Go on. */
  Continue = 0,
  /** Read nothing more from this socket until Conn.resume. What was read before still comes. */
  Pause = 1,
  /** Close the connection. What was sent still goes out. */
  Close = 2,
}

/** The outcome of a call. */
export enum Code {
  Success = 0,
  Unknown = 1,
  /** The connection is closed. */
  ConnProcessNotAlive = 2,
  RequiredParamsMissed = 3,
  ParamsTypeError = 4,
  PermissionDeny = 5,
  /** A bound of exgate: try again later. */
  Limit = 16,
  Unsupported = 17,
}

/** How much a line of the log matters. */
export enum Level {
  Debug = -4,
  Info = 0,
  Warn = 4,
  Error = 8,
}

/** The kind of socket a device uses. */
export enum SocketType {
  TCP = 0,
  SSL = 1,
  UDP = 2,
  DTLS = 3,
}

/** A timer of a connection. */
export enum TimerType {
  /** The only timer there is. */
  Keepalive = 0,
}

/** The token of calls whose outcome nobody wants to hear. */
export const NO_ANSWER: i64 = 0;
