package io.exgate.handler;

import io.exgate.handler.v1.HandlerFrame;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;

/** Writes the queue of one session on a thread of its own, as fast as the gateway reads. */
final class SessionWriter {
  private final ServerCallStreamObserver<HandlerFrame> call;
  private final CommandQueue commands;
  private boolean ended; // guarded by this

  SessionWriter(ServerCallStreamObserver<HandlerFrame> call, CommandQueue commands) {
    this.call = call;
    this.commands = commands;
    call.setOnReadyHandler(this::wake);
    call.setOnCancelHandler(() -> end(() -> {}));
  }

  private synchronized void wake() {
    notifyAll();
  }

  void start(HandlerFrame hello) {
    write(hello);
    Thread thread = new Thread(this::run, "exgate-session-writer");
    thread.setDaemon(true);
    thread.start();
  }

  private void run() {
    try {
      for (HandlerFrame frame = commands.take(); frame != null; frame = commands.take()) {
        awaitReady();
        write(frame);
      }
    } catch (InterruptedException e) {
      fail(Status.UNAVAILABLE.withDescription("the handler stops"));
    }
  }

  private synchronized void awaitReady() throws InterruptedException {
    while (!call.isReady() && !ended) {
      wait();
    }
  }

  private synchronized void write(HandlerFrame frame) {
    if (!ended) {
      call.onNext(frame);
    }
  }

  void complete() {
    end(call::onCompleted);
  }

  void fail(Status status) {
    end(() -> call.onError(status.asException()));
  }

  private synchronized void end(Runnable how) {
    if (!ended) {
      ended = true;
      how.run();
      notifyAll();
    }
  }
}
