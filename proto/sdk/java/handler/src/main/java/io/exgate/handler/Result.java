package io.exgate.handler;

/**
 * The result of a call.
 *
 * @param code the result code
 * @param message the reason of a failure; empty on success
 */
public record Result(Code code, String message) {

  /** The codes of ExProto. */
  public enum Code {
    SUCCESS,
    /** Any other failure, including calls that have not reached the gateway. */
    UNKNOWN,
    /** The connection does not exist or is closed. */
    CONN_PROCESS_NOT_ALIVE,
    /** A required field is empty. */
    REQUIRED_PARAMS_MISSED,
    /** A field's value is out of its range. */
    PARAMS_TYPE_ERROR,
    /** The broker or the gateway denied permission. */
    PERMISSION_DENY
  }

  static final Result SUCCESS = new Result(Code.SUCCESS, "");
  static final Result GONE = new Result(Code.CONN_PROCESS_NOT_ALIVE, "the connection is closed");

  /** Reports whether the call succeeded. */
  public boolean ok() {
    return code == Code.SUCCESS;
  }

  static Result unknown(String message) {
    return new Result(Code.UNKNOWN, message);
  }
}
