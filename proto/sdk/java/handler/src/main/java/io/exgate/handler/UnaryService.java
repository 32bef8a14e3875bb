package io.exgate.handler;

import emqx.exproto.v1.ConnectionHandlerGrpc;
import emqx.exproto.v1.ConnectionUnaryHandlerGrpc.ConnectionUnaryHandlerImplBase;
import emqx.exproto.v1.Exproto.EmptySuccess;
import emqx.exproto.v1.Exproto.ReceivedBytesRequest;
import emqx.exproto.v1.Exproto.ReceivedMessagesRequest;
import emqx.exproto.v1.Exproto.SocketClosedRequest;
import emqx.exproto.v1.Exproto.SocketCreatedRequest;
import emqx.exproto.v1.Exproto.TimerTimeoutRequest;
import io.grpc.MethodDescriptor;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.function.Consumer;

/** The unary dialect: one RPC per callback, answered when the handler's method has returned. */
final class UnaryService extends ConnectionUnaryHandlerImplBase {
  private final RpcEvents events;

  UnaryService(RpcEvents events) {
    this.events = events;
  }

  /** The same service under the name that EMQX Enterprise 4.2 uses, which later became the name of the stream dialect. */
  ServerServiceDefinition v42() {
    ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(ConnectionHandlerGrpc.SERVICE_NAME);
    bindService().getMethods().forEach(method -> service.addMethod(renamed(method)));
    return service.build();
  }

  private static <A, B> ServerMethodDefinition<A, B> renamed(ServerMethodDefinition<A, B> method) {
    MethodDescriptor<A, B> unary = method.getMethodDescriptor();
    String name = MethodDescriptor.generateFullMethodName(ConnectionHandlerGrpc.SERVICE_NAME, unary.getBareMethodName());
    return ServerMethodDefinition.create(unary.toBuilder().setFullMethodName(name).setSchemaDescriptor(null).build(), method.getServerCallHandler());
  }

  private static Consumer<Throwable> answer(StreamObserver<EmptySuccess> answer) {
    return failure -> {
      if (failure != null) {
        answer.onError(Status.INTERNAL.withDescription("the handler threw " + failure.getClass().getName()).asException());
        return;
      }
      answer.onNext(EmptySuccess.getDefaultInstance());
      answer.onCompleted();
    };
  }

  @Override
  public void onSocketCreated(SocketCreatedRequest r, StreamObserver<EmptySuccess> answer) {
    events.socketCreated(r, answer(answer));
  }

  @Override
  public void onReceivedBytes(ReceivedBytesRequest r, StreamObserver<EmptySuccess> answer) {
    events.receivedBytes(r, answer(answer));
  }

  @Override
  public void onTimerTimeout(TimerTimeoutRequest r, StreamObserver<EmptySuccess> answer) {
    events.timerTimeout(r, answer(answer));
  }

  @Override
  public void onReceivedMessages(ReceivedMessagesRequest r, StreamObserver<EmptySuccess> answer) {
    events.receivedMessages(r, answer(answer));
  }

  @Override
  public void onSocketClosed(SocketClosedRequest r, StreamObserver<EmptySuccess> answer) {
    events.socketClosed(r, answer(answer));
  }
}
