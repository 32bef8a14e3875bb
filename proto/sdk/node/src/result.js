/** The result codes of the contract. */
export const Code = Object.freeze({
  SUCCESS: 0,
  /** Any other failure, including a failed call of the adapter; see the message. */
  UNKNOWN: 1,
  /** The connection does not exist or is closed. */
  CONN_PROCESS_NOT_ALIVE: 2,
  /** A required field is empty. */
  REQUIRED_PARAMS_MISSED: 3,
  /** A value is out of its range. */
  PARAMS_TYPE_ERROR: 4,
  /** The broker or the gateway denied permission. */
  PERMISSION_DENY: 5,
});

/** The result of a call. */
export class Result {
  constructor(code, message = '') {
    this.code = code;
    this.message = message;
    Object.freeze(this);
  }

  get ok() {
    return this.code === Code.SUCCESS;
  }
}

export const OK = new Result(Code.SUCCESS);

export function resultOf({ code, message }) {
  return code === Code.SUCCESS ? OK : new Result(code, message);
}
