package io.exgate.handler;

import io.exgate.handler.v1.GatewayFrame;
import io.exgate.handler.v1.HandlerFrame;
import io.exgate.handler.v1.SessionHandlerGrpc.SessionHandlerImplBase;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.function.Function;

/** The session dialect: events and commands of many connections on one stream. */
final class SessionService extends SessionHandlerImplBase {
  private final Duration timeout;
  private final String program;
  private final Function<Connection, Device> newDevice;

  SessionService(Duration timeout, String program, Function<Connection, Device> newDevice) {
    this.timeout = timeout;
    this.program = program;
    this.newDevice = newDevice;
  }

  @Override
  public StreamObserver<GatewayFrame> session(StreamObserver<HandlerFrame> answer) {
    CommandQueue commands = new CommandQueue();
    SessionWriter writer = new SessionWriter((ServerCallStreamObserver<HandlerFrame>) answer, commands);
    return new Session(writer, commands, timeout, program, newDevice);
  }
}
