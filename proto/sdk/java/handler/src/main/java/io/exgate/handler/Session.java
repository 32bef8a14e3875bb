package io.exgate.handler;

import io.exgate.handler.v1.Created;
import io.exgate.handler.v1.GatewayFrame;
import io.exgate.handler.v1.GatewayHello;
import io.exgate.handler.v1.HandlerFrame;
import io.exgate.handler.v1.HandlerHello;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/** One stream of the session dialect: the events of its connections. */
final class Session implements StreamObserver<GatewayFrame> {
  private static final int VERSION = 1;
  private static final List<String> USED = List.of("state", "properties"); // features that the gateway must know of

  private final SessionWriter writer;
  private final CommandQueue commands;
  private final Duration timeout;
  private final String program;
  private final Function<Connection, Device> newDevice;
  private final Map<Long, Device> devices = new ConcurrentHashMap<>();
  private boolean greeted; // owned by onNext
  private List<String> features = List.of(); // of the gateway; owned by onNext

  Session(SessionWriter writer, CommandQueue commands, Duration timeout, String program, Function<Connection, Device> newDevice) {
    this.writer = writer;
    this.commands = commands;
    this.timeout = timeout;
    this.program = program;
    this.newDevice = newDevice;
  }

  @Override
  public void onNext(GatewayFrame frame) {
    if (!greeted && !greet(frame.getHello())) {
      return;
    }
    if (frame.getPing() != 0) {
      commands.pong(frame.getPing());
    }
    frame.getEventsList().forEach(this::event);
  }

  private boolean greet(GatewayHello hello) {
    if (hello.getVersion() < VERSION) {
      writer.fail(Status.FAILED_PRECONDITION.withDescription("the first frame must be a hello of version " + VERSION + " or later"));
      return false;
    }
    greeted = true;
    features = List.copyOf(hello.getFeaturesList());
    List<String> used = features.stream().filter(USED::contains).toList();
    HandlerHello.Builder answer = HandlerHello.newBuilder().setVersion(VERSION).setProgram(program).addAllFeatures(used);
    writer.start(HandlerFrame.newBuilder().setHello(answer).build());
    return true;
  }

  private void event(io.exgate.handler.v1.Event e) {
    if (e.hasCreated()) {
      created(e.getConn(), e.getCreated());
    }
    Device device = devices.get(e.getConn());
    if (device == null) {
      return;
    }
    SessionConnection connection = (SessionConnection) device.connection();
    if (e.hasResult()) {
      Result result = Convert.result(e.getResult().getCode(), e.getResult().getMessage());
      connection.answer(e.getResult().getToken(), result, e.getResult().getState().toByteArray());
      return;
    }
    device.tell(callback(e), failure -> told(e, connection, failure));
  }

  private void created(long number, Created created) {
    devices.put(number, newDevice.apply(new SessionConnection(created.getId(), number, commands, timeout, features)));
  }

  private static Event callback(io.exgate.handler.v1.Event e) {
    return switch (e.getEventCase()) {
      case CREATED -> created(e.getCreated());
      case BYTES -> h -> h.onReceivedBytes(e.getBytes().toByteArray());
      case TIMER_TIMEOUT -> ConnectionHandler::onTimerTimeout;
      case ALARM -> h -> h.onAlarm(e.getAlarm().getId());
      case MESSAGES -> h -> h.onReceivedMessages(Convert.messages(e.getMessages()));
      case CLOSED -> h -> h.onSocketClosed(e.getClosed().getReason());
      case DRAIN -> ConnectionHandler::onDrain;
      case RESULT, EVENT_NOT_SET -> h -> {};
    };
  }

  private static Event created(Created created) {
    ConnInfo info = Convert.connInfo(created.getConninfo(), created.getPropertiesList());
    if (!created.getResumed()) {
      return h -> h.onSocketCreated(info);
    }
    ClientInfo client = created.hasClientinfo() ? Convert.clientInfo(created.getClientinfo()) : null;
    return h -> h.onSocketResumed(info, client);
  }

  /** The calls of a connection are answered until its last event is acknowledged. */
  private void told(io.exgate.handler.v1.Event e, SessionConnection connection, Throwable failure) {
    if (failure != null) {
      connection.close();
    }
    if (e.hasClosed()) {
      devices.remove(e.getConn());
      connection.gone();
    }
    if (e.getSeq() != 0) {
      connection.acknowledge(e.getSeq());
    }
  }

  @Override
  public void onError(Throwable broken) {
    end();
  }

  @Override
  public void onCompleted() {
    end();
    writer.complete();
  }

  /** Ends the connections of a stream that has ended. Those that stay open return on another stream. */
  private void end() {
    commands.end();
    devices.values().forEach(device -> ((SessionConnection) device.connection()).gone());
    devices.values().forEach(device -> device.tell(h -> h.onSocketClosed("stream_ended"), failure -> {}));
    devices.clear();
  }
}
