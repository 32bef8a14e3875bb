package io.exgate.handler;

import emqx.exproto.v1.Exproto.EmptySuccess;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** One stream of the stream dialect. It is read no faster than the handlers process its events. */
final class EventStream<E> implements StreamObserver<E> {

  /** The number of queued events above which a stream is not read. */
  static final int WINDOW = 512;

  private final ServerCallStreamObserver<EmptySuccess> call;
  private final BiConsumer<E, Consumer<Throwable>> tell;
  private final Consumer<E> close;
  private final AtomicInteger unfinished = new AtomicInteger(1); // events, and the stream itself

  EventStream(StreamObserver<EmptySuccess> answer, int window, BiConsumer<E, Consumer<Throwable>> tell, Consumer<E> close) {
    call = (ServerCallStreamObserver<EmptySuccess>) answer;
    this.tell = tell;
    this.close = close;
    call.disableAutoRequest();
    call.request(window);
  }

  @Override
  public void onNext(E event) {
    unfinished.incrementAndGet();
    tell.accept(event, failure -> told(event, failure));
  }

  private void told(E event, Throwable failure) {
    call.request(1);
    if (failure != null) {
      close.accept(event);
    }
    finish();
  }

  @Override
  public void onError(Throwable broken) {}

  @Override
  public void onCompleted() {
    finish();
  }

  /** Answers once the gateway has ended the stream and the callbacks of all its events have returned. */
  private void finish() {
    if (unfinished.decrementAndGet() == 0) {
      call.onNext(EmptySuccess.getDefaultInstance());
      call.onCompleted();
    }
  }
}
