package io.exgate.handler;

/** A callback to be run. */
@FunctionalInterface
interface Event {
  void tell(ConnectionHandler handler) throws Exception;
}
