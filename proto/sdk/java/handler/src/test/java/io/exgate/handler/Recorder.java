package io.exgate.handler;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/** Handlers that write their events down, and do as the bytes say that a device sends. */
final class Recorder {
  static final int PATIENCE_SECONDS = 20;

  final CountDownLatch released = new CountDownLatch(1);
  private final List<String> lines = new ArrayList<>(); // guarded by this

  ConnectionHandler handle(Connection connection) {
    return new Recorded(connection);
  }

  synchronized void add(String line) {
    lines.add(line);
    notifyAll();
  }

  /** Waits for as many lines and compares them. */
  synchronized void expect(String... want) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (lines.size() < want.length && System.nanoTime() < deadline) {
      TimeUnit.NANOSECONDS.timedWait(this, deadline - System.nanoTime());
    }
    assertEquals(Arrays.asList(want), lines);
    lines.clear();
  }

  static void acquire(Semaphore happened) throws InterruptedException {
    assertTrue(happened.tryAcquire(PATIENCE_SECONDS, TimeUnit.SECONDS));
  }

  private final class Recorded implements ConnectionHandler {
    private final Connection connection;

    Recorded(Connection connection) {
      this.connection = connection;
    }

    private void note(String what) {
      add(connection.id() + " " + what);
    }

    @Override
    public void onSocketCreated(ConnInfo info) {
      String path = info.property("path");
      note("created " + info.socketType() + " " + info.peer().host() + ":" + info.peer().port() + path);
    }

    @Override
    public void onSocketResumed(ConnInfo info, ClientInfo client) {
      note("resumed " + (client == null ? "" : client.clientId()));
    }

    @Override
    public void onReceivedBytes(byte[] bytes) throws Exception {
      String text = new String(bytes, UTF_8);
      switch (text) {
        case "throw" -> throw new IllegalStateException("as told");
        case "wait" -> released.await();
        case "echo" -> note("echo " + connection.send(bytes).code());
        case "state" -> note("state " + new String(connection.state(), UTF_8));
        case "save" -> note("saved " + connection.saveState("8".getBytes(UTF_8)));
        case "login" -> note("login " + connection.authenticate(new ClientInfo("c1"), "secret").code());
        case "publish" -> note("publish " + connection.publish("t", 1, bytes));
        case "with" -> {
          List<Property> user = List.of(new Property("k", "v"));
          Properties all = new Properties(true, 60, "text/plain", "a", "7".getBytes(UTF_8), user);
          note("published " + connection.publishWith("t", 1, bytes, all));
        }
        case "alarm" -> {
          note("set " + connection.setTimer(3, Duration.ofMillis(250)));
          note("cancelled " + connection.setTimer(3, Duration.ofSeconds(-1)).code());
        }
        default -> note("bytes " + text);
      }
    }

    @Override
    public void onTimerTimeout() {
      note("timer");
    }

    @Override
    public void onAlarm(int id) {
      note("alarm " + id);
    }

    @Override
    public void onReceivedMessages(List<Message> messages) {
      for (Message m : messages) {
        note("message " + m.topic() + " " + new String(m.payload(), UTF_8));
        if (m.properties() != null) {
          note("properties " + m.properties().user() + ", answer " + connection.answer(m, 1, m.payload()).code());
        }
      }
    }

    @Override
    public void onDrain() {
      note("drain");
    }

    @Override
    public void onSocketClosed(String reason) {
      note("closed " + reason);
    }
  }
}
