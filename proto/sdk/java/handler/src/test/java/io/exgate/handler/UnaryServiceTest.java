package io.exgate.handler;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import emqx.exproto.v1.ConnectionHandlerGrpc;
import emqx.exproto.v1.ConnectionUnaryHandlerGrpc;
import emqx.exproto.v1.ConnectionUnaryHandlerGrpc.ConnectionUnaryHandlerBlockingStub;
import emqx.exproto.v1.Exproto.EmptySuccess;
import emqx.exproto.v1.Exproto.ReceivedBytesRequest;
import emqx.exproto.v1.Exproto.TimerTimeoutRequest;
import io.grpc.CallOptions;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class UnaryServiceTest {
  private Fixture fixture;
  private ConnectionUnaryHandlerBlockingStub gateway;

  @BeforeEach
  void serve() throws Exception {
    fixture = new Fixture(s -> s.unaryV42(true));
    gateway = ConnectionUnaryHandlerGrpc.newBlockingStub(fixture.channel);
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  @Test
  void callsAreMadeInsideCallbacks() throws Exception {
    gateway.onSocketCreated(Requests.created("a"));
    gateway.onReceivedBytes(Requests.bytes("a", "login"));
    gateway.onReceivedBytes(Requests.bytes("a", "echo"));
    gateway.onReceivedBytes(Requests.bytes("a", "publish"));
    gateway.onReceivedMessages(Requests.messages("a", "one", "two"));
    gateway.onTimerTimeout(TimerTimeoutRequest.newBuilder().setConn("a").build());
    gateway.onSocketClosed(Requests.closed("a"));
    fixture.recorder.expect(
        "a created SSL 10.0.0.1:5",
        "a < authenticate c1",
        "a login SUCCESS",
        "a < send echo",
        "a echo SUCCESS",
        "a publish Result[code=PERMISSION_DENY, message=not t]",
        "a message t one",
        "a message t two",
        "a timer",
        "a closed tcp_closed");
  }

  @Test
  void anExceptionFailsTheCallback() {
    StatusRuntimeException e = assertThrows(StatusRuntimeException.class, () -> gateway.onReceivedBytes(Requests.bytes("a", "throw")));
    assertEquals(Status.Code.INTERNAL, e.getStatus().getCode());
    assertEquals("the handler threw java.lang.IllegalStateException", e.getStatus().getDescription());
  }

  @Test
  void aCallbackThatWaitsHoldsUpItsConnectionOnly() throws Exception {
    Future<EmptySuccess> waiting = ConnectionUnaryHandlerGrpc.newFutureStub(fixture.channel).onReceivedBytes(Requests.bytes("a", "wait"));
    fixture.recorder.expect("a resumed ");
    gateway.onReceivedBytes(Requests.bytes("b", "hello"));
    fixture.recorder.expect("b resumed ", "b bytes hello");
    fixture.recorder.released.countDown();
    waiting.get();
  }

  @Test
  void aConnectionOfAnEarlierProcessIsResumed() throws Exception {
    gateway.onReceivedBytes(Requests.bytes("a", "hello"));
    gateway.onReceivedBytes(Requests.bytes("a", "again"));
    gateway.onSocketClosed(Requests.closed("a"));
    gateway.onReceivedBytes(Requests.bytes("a", "too late"));
    gateway.onSocketClosed(Requests.closed("never heard of"));
    fixture.recorder.expect("a resumed ", "a bytes hello", "a bytes again", "a closed tcp_closed");
  }

  @Test
  void theServiceOf42IsTheSameUnderItsName() throws Exception {
    MethodDescriptor<ReceivedBytesRequest, EmptySuccess> method =
        ConnectionUnaryHandlerGrpc.getOnReceivedBytesMethod().toBuilder()
            .setFullMethodName(MethodDescriptor.generateFullMethodName(ConnectionHandlerGrpc.SERVICE_NAME, "OnReceivedBytes"))
            .build();
    ClientCalls.blockingUnaryCall(fixture.channel, method, CallOptions.DEFAULT, Requests.bytes("a", "hello"));
    fixture.recorder.expect("a resumed ", "a bytes hello");
  }

  @Test
  void anAdapterThatIsAwayIsTold() throws Exception {
    fixture.adapter.close();
    gateway.onReceivedBytes(Requests.bytes("a", "echo"));
    fixture.recorder.expect("a resumed ", "a echo UNKNOWN");
  }
}
