package io.exgate.handler;

/** One callback that is to be made. */
@FunctionalInterface
interface Event {
  void tell(ConnectionHandler handler) throws Exception;
}
