package io.exgate.handler;

import java.util.List;

/**
 * Handles the events of one connection. Its methods are called one at a time, in the order of the events, on threads of the server. They may
 * block, for example in calls of the {@link Connection}, whose answers need none of those threads. An exception is logged and closes the connection.
 */
public interface ConnectionHandler {

  /** A device connected: the first event. */
  default void onSocketCreated(ConnInfo info) throws Exception {}

  /**
   * Called instead of {@link #onSocketCreated} for a connection that was served before, by a process or over a stream that has ended. It is
   * unchanged, including its authentication and subscriptions; only the handler's state is lost.
   *
   * @param info the connection; null if the dialect does not send it
   * @param client what it is authenticated with; null if it is not, or if the dialect does not send it
   */
  default void onSocketResumed(ConnInfo info, ClientInfo client) throws Exception {}

  /** Bytes from the device: for TCP and TLS any part of the stream, for UDP and DTLS one datagram. */
  void onReceivedBytes(byte[] bytes) throws Exception;

  /** The device has sent nothing for the interval of {@link Connection#startTimer}. The gateway closes the connection afterwards. */
  default void onTimerTimeout() throws Exception {}

  /** A timer of {@link Connection#setTimer} fired. The connection stays open. Session dialect only. */
  default void onAlarm(int id) throws Exception {}

  /** One or more messages for the connection's subscriptions. */
  default void onReceivedMessages(List<Message> messages) throws Exception {}

  /** The gateway is about to stop. Session dialect only. */
  default void onDrain() throws Exception {}

  /**
   * The connection is closed. This is the last event.
   *
   * @param reason one word such as tcp_closed, normal, keepalive_timeout or discarded; stream_ended if the stream has ended; the connection may return with
   *     {@link #onSocketResumed}
   */
  default void onSocketClosed(String reason) throws Exception {}
}
