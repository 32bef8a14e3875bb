package io.exgate.handler;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Function;

/** The handler of one connection, with its queued events. */
final class Device {
  private static final Logger LOG = System.getLogger(Device.class.getPackageName());

  private final Connection connection;
  private final Function<Connection, ConnectionHandler> handlers;
  private final EventQueue events;
  private ConnectionHandler handler; // owned by the task that runs

  Device(Connection connection, Function<Connection, ConnectionHandler> handlers, Executor threads) {
    this.connection = connection;
    this.handlers = handlers;
    events = new EventQueue(threads);
  }

  Connection connection() {
    return connection;
  }

  /**
   * Runs a callback after all previous ones have returned.
   *
   * @param done called when it has returned, with null or with the exception
   */
  void tell(Event event, Consumer<Throwable> done) {
    events.add(() -> done.accept(run(event)));
  }

  private Throwable run(Event event) {
    try {
      if (handler == null) {
        handler = handlers.apply(connection);
      }
      event.tell(handler);
      return null;
    } catch (Throwable t) {
      LOG.log(Level.ERROR, "the handler of connection " + connection.id() + " failed", t);
      return t;
    }
  }
}
