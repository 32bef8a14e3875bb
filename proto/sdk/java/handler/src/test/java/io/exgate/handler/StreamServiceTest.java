package io.exgate.handler;

import static org.junit.jupiter.api.Assertions.assertFalse;

import emqx.exproto.v1.ConnectionHandlerGrpc;
import emqx.exproto.v1.ConnectionHandlerGrpc.ConnectionHandlerStub;
import emqx.exproto.v1.Exproto.EmptySuccess;
import emqx.exproto.v1.Exproto.ReceivedBytesRequest;
import emqx.exproto.v1.Exproto.SocketClosedRequest;
import emqx.exproto.v1.Exproto.SocketCreatedRequest;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class StreamServiceTest {
  private Fixture fixture;
  private StreamObserver<SocketCreatedRequest> created;
  private StreamObserver<ReceivedBytesRequest> bytes;
  private StreamObserver<SocketClosedRequest> closed;
  private final Semaphore completed = new Semaphore(0);

  @BeforeEach
  void serve() throws Exception {
    fixture = new Fixture(s -> s);
    ConnectionHandlerStub gateway = ConnectionHandlerGrpc.newStub(fixture.channel);
    created = gateway.onSocketCreated(new Answers());
    bytes = gateway.onReceivedBytes(new Answers());
    closed = gateway.onSocketClosed(new Answers());
  }

  @AfterEach
  void stop() {
    fixture.close();
  }

  private final class Answers implements StreamObserver<EmptySuccess> {
    @Override
    public void onNext(EmptySuccess answer) {}

    @Override
    public void onError(Throwable failure) {}

    @Override
    public void onCompleted() {
      completed.release();
    }
  }

  private void create(String conn) throws InterruptedException {
    created.onNext(Requests.created(conn));
    fixture.recorder.expect(conn + " created SSL 10.0.0.1:5");
  }

  @Test
  void eventsOfOneStreamKeepTheirOrder() throws Exception {
    create("a");
    bytes.onNext(Requests.bytes("a", "one"));
    bytes.onNext(Requests.bytes("a", "echo"));
    bytes.onNext(Requests.bytes("a", "two"));
    fixture.recorder.expect("a bytes one", "a < send echo", "a echo SUCCESS", "a bytes two");
    closed.onNext(Requests.closed("a"));
    fixture.recorder.expect("a closed tcp_closed");
  }

  @Test
  void aConnectionThatWaitsDoesNotHoldUpAnother() throws Exception {
    create("a");
    create("b");
    bytes.onNext(Requests.bytes("a", "wait"));
    for (int i = 0; i < EventStream.WINDOW - 1; i++) {
      bytes.onNext(Requests.bytes("b", "" + i));
      fixture.recorder.expect("b bytes " + i);
    }
  }

  @Test
  void anExceptionClosesTheConnection() throws Exception {
    create("a");
    bytes.onNext(Requests.bytes("a", "throw"));
    fixture.recorder.expect("a < close");
  }

  @Test
  void aStreamThatTheGatewayEndsIsAnsweredAfterItsCallbacks() throws Exception {
    create("a");
    bytes.onNext(Requests.bytes("a", "wait"));
    bytes.onCompleted();
    created.onCompleted();
    Recorder.acquire(completed);
    assertFalse(completed.tryAcquire());
    fixture.recorder.released.countDown();
    Recorder.acquire(completed);
  }
}
