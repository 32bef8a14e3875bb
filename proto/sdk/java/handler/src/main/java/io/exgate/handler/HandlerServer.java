package io.exgate.handler;

import io.grpc.ManagedChannel;
import io.grpc.Server;
import java.net.InetSocketAddress;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Serves a protocol to gateways, on one port and in all dialects at once, with health checks and reflection. Create and start it with
 * {@link #builder}.
 */
public final class HandlerServer implements AutoCloseable {
  private static final int GRACE_SECONDS = 5;

  private final Server server;
  private final ManagedChannel adapter; // null without an adapter
  private final ExecutorService threads;

  HandlerServer(Server server, ManagedChannel adapter, ExecutorService threads) {
    this.server = server;
    this.adapter = adapter;
    this.threads = threads;
  }

  /** Returns a builder. handlers creates the handler of each connection before its first event. */
  public static HandlerServerBuilder builder(Function<Connection, ConnectionHandler> handlers) {
    return new HandlerServerBuilder(handlers);
  }

  /** Where it listens. */
  public InetSocketAddress address() {
    return (InetSocketAddress) server.getListenSockets().get(0);
  }

  /** Waits for {@link #close}. */
  public void awaitTermination() throws InterruptedException {
    server.awaitTermination();
  }

  /** Stops accepting events. Running callbacks have 5 seconds to end, then they are interrupted. */
  @Override
  public void close() {
    server.shutdown();
    threads.shutdown();
    try {
      threads.awaitTermination(GRACE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    threads.shutdownNow();
    server.shutdownNow();
    if (adapter != null) {
      adapter.shutdownNow();
    }
  }
}
