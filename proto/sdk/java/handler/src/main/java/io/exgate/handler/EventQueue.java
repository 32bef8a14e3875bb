package io.exgate.handler;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.Executor;

/** Runs the tasks of one connection one at a time, in order, on shared threads: it uses a thread for one task, then queues again. */
final class EventQueue {
  private final Executor threads;
  private final Deque<Runnable> waiting = new ArrayDeque<>(); // guarded by this
  private boolean running; // guarded by this

  EventQueue(Executor threads) {
    this.threads = threads;
  }

  void add(Runnable task) {
    synchronized (this) {
      waiting.add(task);
      if (running) {
        return;
      }
      running = true;
    }
    threads.execute(this::runOne);
  }

  private void runOne() {
    try {
      next().run();
    } finally {
      if (more()) {
        threads.execute(this::runOne);
      }
    }
  }

  private synchronized Runnable next() {
    return waiting.remove();
  }

  private synchronized boolean more() {
    running = !waiting.isEmpty();
    return running;
  }
}
