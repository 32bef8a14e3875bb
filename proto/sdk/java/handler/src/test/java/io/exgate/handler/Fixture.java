package io.exgate.handler;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.function.UnaryOperator;

/** A handler server on loopback, the adapter that it calls, and a channel to it. */
final class Fixture implements AutoCloseable {
  final Recorder recorder = new Recorder();
  final FakeAdapter adapter;
  final HandlerServer server;
  final ManagedChannel channel;

  Fixture(UnaryOperator<HandlerServerBuilder> settings) throws IOException {
    this(settings, null, InsecureChannelCredentials.create());
  }

  /** With an adapter of the test's own, unless it is null. */
  Fixture(UnaryOperator<HandlerServerBuilder> settings, FakeAdapter own, ChannelCredentials credentials) throws IOException {
    adapter = own == null ? new FakeAdapter(recorder, InsecureServerCredentials.create()) : own;
    HandlerServerBuilder builder = HandlerServer.builder(recorder::handle).listen(new InetSocketAddress("127.0.0.1", 0)).adapter(adapter.target());
    server = settings.apply(builder).start();
    channel = connect(credentials);
  }

  ManagedChannel connect(ChannelCredentials credentials) {
    return Grpc.newChannelBuilder("127.0.0.1:" + server.address().getPort(), credentials).build();
  }

  @Override
  public void close() {
    recorder.released.countDown();
    channel.shutdownNow();
    server.close();
    adapter.close();
  }
}
