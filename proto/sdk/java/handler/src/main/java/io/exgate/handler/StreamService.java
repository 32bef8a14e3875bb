package io.exgate.handler;

import emqx.exproto.v1.ConnectionHandlerGrpc.ConnectionHandlerImplBase;
import emqx.exproto.v1.Exproto.EmptySuccess;
import emqx.exproto.v1.Exproto.ReceivedBytesRequest;
import emqx.exproto.v1.Exproto.ReceivedMessagesRequest;
import emqx.exproto.v1.Exproto.SocketClosedRequest;
import emqx.exproto.v1.Exproto.SocketCreatedRequest;
import emqx.exproto.v1.Exproto.TimerTimeoutRequest;
import io.grpc.stub.StreamObserver;

/** The stream dialect: one stream per method, shared by all connections, on which events are not answered. */
final class StreamService extends ConnectionHandlerImplBase {
  private final RpcEvents events;

  StreamService(RpcEvents events) {
    this.events = events;
  }

  /** Read without waiting for callbacks: events on the other streams wait for the connection's creation on this one. */
  @Override
  public StreamObserver<SocketCreatedRequest> onSocketCreated(StreamObserver<EmptySuccess> answer) {
    return new EventStream<>(answer, Integer.MAX_VALUE, events::socketCreated, r -> events.close(r.getConn()));
  }

  @Override
  public StreamObserver<ReceivedBytesRequest> onReceivedBytes(StreamObserver<EmptySuccess> answer) {
    return new EventStream<>(answer, EventStream.WINDOW, events::receivedBytes, r -> events.close(r.getConn()));
  }

  @Override
  public StreamObserver<TimerTimeoutRequest> onTimerTimeout(StreamObserver<EmptySuccess> answer) {
    return new EventStream<>(answer, EventStream.WINDOW, events::timerTimeout, r -> events.close(r.getConn()));
  }

  @Override
  public StreamObserver<ReceivedMessagesRequest> onReceivedMessages(StreamObserver<EmptySuccess> answer) {
    return new EventStream<>(answer, EventStream.WINDOW, events::receivedMessages, r -> events.close(r.getConn()));
  }

  @Override
  public StreamObserver<SocketClosedRequest> onSocketClosed(StreamObserver<EmptySuccess> answer) {
    return new EventStream<>(answer, EventStream.WINDOW, events::socketClosed, r -> {});
  }
}
