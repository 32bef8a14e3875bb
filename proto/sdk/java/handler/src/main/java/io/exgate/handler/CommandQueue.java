package io.exgate.handler;

import io.exgate.handler.v1.Command;
import io.exgate.handler.v1.HandlerFrame;
import java.util.ArrayDeque;
import java.util.Deque;

/** The queue of one session: any thread adds commands, one thread takes them out as frames. Adding to a full queue blocks. */
final class CommandQueue {
  private static final int MOST_WAITING = 16 << 20; // bytes
  private static final int FRAME = 64 << 10; // bytes; a larger command gets a frame of its own

  private final Deque<Command.Builder> commands = new ArrayDeque<>(); // guarded by this, like all fields below
  private long waiting; // bytes, estimated
  private long pong;
  private boolean ended;

  /** Adds a command and reports whether the session is open. */
  synchronized boolean add(Command.Builder command) {
    try {
      while (waiting >= MOST_WAITING && !ended) {
        wait();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
    if (!ended) {
      commands.add(command);
      waiting += size(command);
      notifyAll();
    }
    return !ended;
  }

  /** Acknowledges an event, after the queued commands. It never blocks. */
  synchronized void acknowledge(long conn, long seq) {
    if (ended) {
      return;
    }
    Command.Builder last = commands.peekLast();
    if (last == null || last.getConn() != conn) {
      last = Command.newBuilder().setConn(conn);
      commands.add(last);
      waiting += size(last);
    }
    last.setAck(seq);
    notifyAll();
  }

  synchronized void pong(long ping) {
    pong = ping;
    notifyAll();
  }

  /** Waits for the next frame. Returns null if the session has ended. */
  synchronized HandlerFrame take() throws InterruptedException {
    while (commands.isEmpty() && pong == 0 && !ended) {
      wait();
    }
    if (ended) {
      return null;
    }
    HandlerFrame.Builder frame = HandlerFrame.newBuilder().setPong(pong);
    pong = 0;
    int size = 0;
    while (!commands.isEmpty() && (size == 0 || size + size(commands.peek()) <= FRAME)) {
      int taken = size(commands.peek());
      frame.addCommands(commands.remove());
      size += taken;
    }
    waiting -= size;
    notifyAll();
    return frame.build();
  }

  /** Drops the queue and wakes all waiting threads. */
  synchronized void end() {
    ended = true;
    commands.clear();
    notifyAll();
  }

  private static int size(Command.Builder command) {
    int payload =
        switch (command.getCommandCase()) {
          case SEND -> command.getSend().size();
          case PUBLISH -> command.getPublish().getPayload().size() + command.getPublish().getProperties().getSerializedSize();
          case RAW_PUBLISH -> command.getRawPublish().getPayload().size();
          default -> 0;
        };
    return 64 + payload;
  }
}
