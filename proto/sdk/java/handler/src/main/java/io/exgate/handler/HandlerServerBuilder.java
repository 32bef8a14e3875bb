package io.exgate.handler;

import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ServerCredentials;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** The settings of a {@link HandlerServer}. */
public final class HandlerServerBuilder {
  private final Function<Connection, ConnectionHandler> handlers;
  private InetSocketAddress listen = new InetSocketAddress("127.0.0.1", 9001);
  private String adapter;
  private ServerCredentials credentials = InsecureServerCredentials.create();
  private ChannelCredentials adapterCredentials = InsecureChannelCredentials.create();
  private String token;
  private String adapterToken;
  private boolean unaryV42;
  private int threads = 128;
  private Duration callTimeout = Duration.ofSeconds(10);
  private int maxMessageSize = 32 << 20;
  private String program = "java";

  HandlerServerBuilder(Function<Connection, ConnectionHandler> handlers) {
    this.handlers = handlers;
  }

  /** The listen address, named in the gateway's handler.grpc. Port 0 selects a free port. If not set, 127.0.0.1:9001. */
  public HandlerServerBuilder listen(InetSocketAddress address) {
    listen = address;
    return this;
  }

  /** The address of the gateway's adapter, host:port. If not set, only the session dialect is served, which needs no adapter. */
  public HandlerServerBuilder adapter(String target) {
    adapter = target;
    return this;
  }

  /** TLS of this server: its certificate, and the client certificates it requires. If not set, plain text. */
  public HandlerServerBuilder credentials(ServerCredentials serverCredentials) {
    credentials = serverCredentials;
    return this;
  }

  /** TLS for calls of the adapter: the trusted certificates, and this handler's own. If not set, plain text. */
  public HandlerServerBuilder adapterCredentials(ChannelCredentials channelCredentials) {
    adapterCredentials = channelCredentials;
    return this;
  }

  /** The token required from gateways, that of their token_file. If not set, none. */
  public HandlerServerBuilder token(String bearerToken) {
    token = bearerToken;
    return this;
  }

  /** The token of the gateway's adapter_token_file, sent with calls of the adapter. If not set, none. */
  public HandlerServerBuilder adapterToken(String bearerToken) {
    adapterToken = bearerToken;
    return this;
  }

  /** Serves ConnectionHandler with the unary methods of EMQX Enterprise 4.2 instead of the streams of later releases. If not set, streams. */
  public HandlerServerBuilder unaryV42(boolean unary) {
    unaryV42 = unary;
    return this;
  }

  /** The number of concurrent callbacks, each on a thread; further ones wait. If not set, 128. */
  public HandlerServerBuilder threads(int most) {
    threads = most;
    return this;
  }

  /** The timeout for a call of a {@link Connection}. If not set, 10 seconds. */
  public HandlerServerBuilder callTimeout(Duration timeout) {
    callTimeout = timeout;
    return this;
  }

  /** The size limit for messages from the gateway, in bytes. If not set, 32 MiB. */
  public HandlerServerBuilder maxMessageSize(int bytes) {
    maxMessageSize = bytes;
    return this;
  }

  /** The handler's name in the gateway's log, such as meters/2.1. If not set, java. */
  public HandlerServerBuilder program(String name) {
    program = name;
    return this;
  }

  /**
   * Starts serving.
   *
   * @throws IOException if it cannot listen on the address
   */
  public HandlerServer start() throws IOException {
    ExecutorService pool = pool();
    ManagedChannel channel = adapter == null ? null : Grpc.newChannelBuilder(adapter, adapterCredentials).directExecutor().build();
    NettyServerBuilder server = server();
    HealthStatusManager health = new HealthStatusManager();
    for (ServerServiceDefinition service : services(pool, channel)) {
      server.addService(service);
      health.setStatus(service.getServiceDescriptor().getName(), ServingStatus.SERVING);
    }
    server.addService(health.getHealthService()).addService(ProtoReflectionServiceV1.newInstance());
    return new HandlerServer(server.build().start(), channel, pool);
  }

  private NettyServerBuilder server() {
    NettyServerBuilder server =
        NettyServerBuilder.forAddress(listen, credentials)
            .directExecutor() // its threads never block, since callbacks run in the pool
            .maxInboundMessageSize(maxMessageSize)
            .permitKeepAliveTime(5, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true);
    if (token != null) {
      server.intercept(new BearerToken(token).demanded());
    }
    return server;
  }

  private List<ServerServiceDefinition> services(ExecutorService pool, Channel channel) {
    List<ServerServiceDefinition> services = new ArrayList<>();
    services.add(new SessionService(callTimeout, program, connection -> new Device(connection, handlers, pool)).bindService());
    if (channel != null) {
      Channel calls = adapterToken == null ? channel : ClientInterceptors.intercept(channel, new BearerToken(adapterToken).presented());
      RpcEvents events = new RpcEvents(conn -> new Device(new AdapterConnection(conn, calls, callTimeout), handlers, pool));
      UnaryService unary = new UnaryService(events);
      services.add(unary.bindService());
      services.add(unaryV42 ? unary.v42() : new StreamService(events).bindService());
    }
    return services;
  }

  /** Threads that end when idle. Tasks submitted after the server has stopped are dropped: their events are not acknowledged. */
  private ExecutorService pool() {
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            threads, threads, 30, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), HandlerServerBuilder::thread, new ThreadPoolExecutor.DiscardPolicy());
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  private static Thread thread(Runnable task) {
    Thread thread = new Thread(task, "exgate-handler");
    thread.setDaemon(true);
    return thread;
  }
}
