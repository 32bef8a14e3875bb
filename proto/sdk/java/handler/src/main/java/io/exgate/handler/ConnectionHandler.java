package io.exgate.handler;

import java.util.List;

/**
 * A protocol, as spoken with one connection. Its methods are called one at a time, in the order of the events, on threads of the server which they may
 * block: with calls of the {@link Connection}, whose answers need none of those threads, or otherwise. An exception is logged and ends the connection.
 */
public interface ConnectionHandler {

  /** A device connected: the first event. */
  default void onSocketCreated(ConnInfo info) throws Exception {}

  /**
   * Instead of {@link #onSocketCreated}: the connection was served before, by a process that ended or over a stream that broke. It is as it was, also
   * authenticated and subscribed as it was; only what the handler knew of it is lost.
   *
   * @param info the connection; null where the dialect does not tell
   * @param client what it is authenticated with; null where it is not, or the dialect does not tell
   */
  default void onSocketResumed(ConnInfo info, ClientInfo client) throws Exception {}

  /** The device sent this: for TCP and TLS any piece of its stream, for UDP and DTLS one datagram. */
  void onReceivedBytes(byte[] bytes) throws Exception;

  /** The device sent nothing for the interval of {@link Connection#startTimer}. The gateway closes the connection after this. */
  default void onTimerTimeout() throws Exception {}

  /** Messages of the connection's subscriptions, one or more. */
  default void onReceivedMessages(List<Message> messages) throws Exception {}

  /** The gateway is about to stop. Only the session dialect tells. */
  default void onDrain() throws Exception {}

  /**
   * The connection is gone: the last event.
   *
   * @param reason one word such as tcp_closed, normal, keepalive_timeout or discarded; stream_ended where the gateway is gone or will come back with
   *     {@link #onSocketResumed}
   */
  default void onSocketClosed(String reason) throws Exception {}
}
