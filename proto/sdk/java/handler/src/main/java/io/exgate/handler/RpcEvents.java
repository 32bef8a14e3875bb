package io.exgate.handler;

import emqx.exproto.v1.Exproto.ReceivedBytesRequest;
import emqx.exproto.v1.Exproto.ReceivedMessagesRequest;
import emqx.exproto.v1.Exproto.SocketClosedRequest;
import emqx.exproto.v1.Exproto.SocketCreatedRequest;
import emqx.exproto.v1.Exproto.TimerTimeoutRequest;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Runs the callbacks of the ExProto dialects. An event for an unknown connection belongs to a connection that another process
 * served before, unless it has just been closed: the streams of different methods are not in order.
 */
final class RpcEvents {
  private final Function<String, Device> newDevice;
  private final Map<String, Device> devices = new ConcurrentHashMap<>();
  private final Recent closed = new Recent(4096);

  RpcEvents(Function<String, Device> newDevice) {
    this.newDevice = newDevice;
  }

  void socketCreated(SocketCreatedRequest r, Consumer<Throwable> done) {
    ConnInfo info = Convert.connInfo(r.getConninfo());
    devices.computeIfAbsent(r.getConn(), newDevice).tell(h -> h.onSocketCreated(info), done);
  }

  void receivedBytes(ReceivedBytesRequest r, Consumer<Throwable> done) {
    tell(r.getConn(), h -> h.onReceivedBytes(r.getBytes().toByteArray()), done);
  }

  void timerTimeout(TimerTimeoutRequest r, Consumer<Throwable> done) {
    tell(r.getConn(), ConnectionHandler::onTimerTimeout, done);
  }

  void receivedMessages(ReceivedMessagesRequest r, Consumer<Throwable> done) {
    tell(r.getConn(), h -> h.onReceivedMessages(Convert.messages(r.getMessagesList())), done);
  }

  void socketClosed(SocketClosedRequest r, Consumer<Throwable> done) {
    closed.add(r.getConn());
    Device device = devices.remove(r.getConn());
    if (device == null) {
      done.accept(null);
      return;
    }
    device.tell(h -> h.onSocketClosed(r.getReason()), done);
  }

  private void tell(String conn, Event event, Consumer<Throwable> done) {
    if (closed.contains(conn)) {
      done.accept(null);
      return;
    }
    devices.computeIfAbsent(conn, this::resumed).tell(event, done);
  }

  private Device resumed(String conn) {
    Device device = newDevice.apply(conn);
    device.tell(h -> h.onSocketResumed(null, null), failure -> {});
    return device;
  }

  /** Closes a connection whose handler failed, in a dialect that cannot report that in its answer. */
  void close(String conn) {
    Device device = devices.get(conn);
    if (device != null) {
      device.tell(h -> device.connection().close(), failure -> {});
    }
  }
}
