package io.exgate.examples.jsonecho;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.exgate.handler.Connection;
import io.exgate.handler.ConnectionHandler;
import io.exgate.handler.Message;
import io.exgate.handler.Result;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/** The JSON echo protocol with one device. */
final class JsonEcho implements ConnectionHandler {
  private final Connection device;
  private final Frames frames;
  private boolean closed;

  JsonEcho(Connection device) {
    this.device = device;
    frames = new Frames();
  }

  @Override
  public void onReceivedBytes(byte[] bytes) throws IOException {
    if (closed) {
      return;
    }
    try {
      frames.add(bytes);
      for (Request r = frames.next(); r != null; r = closed ? null : frames.next()) {
        handle(r);
      }
    } catch (IOException notJson) {
      close();
    }
  }

  private void handle(Request r) throws IOException {
    switch (r.type()) {
      case Request.CONNECT -> connect(r);
      case Request.PUBLISH -> acknowledge(Answer.PUBACK, device.publish(r.topic(), r.qos(), r.payload().getBytes(UTF_8)));
      case Request.RAW_PUBLISH -> acknowledge(Answer.PUBACK, device.rawPublish(r.topic(), r.qos(), r.payload().getBytes(UTF_8)));
      case Request.SUBSCRIBE -> acknowledge(Answer.SUBACK, device.subscribe(r.topic(), r.qos()));
      case Request.UNSUBSCRIBE -> acknowledge(Answer.UNSUBACK, device.unsubscribe(r.topic()));
      default -> close(); // also DISCONNECT
    }
  }

  private void connect(Request r) throws IOException {
    Result login = device.authenticate(r.clientinfo().info(), r.password());
    if (login.ok() && r.clientinfo().keepalive() != 0) {
      device.startTimer(Duration.ofSeconds(r.clientinfo().keepalive()));
    }
    acknowledge(Answer.CONNACK, login);
    if (!login.ok()) {
      close();
    }
  }

  private void acknowledge(int type, Result result) throws IOException {
    send(Answer.acknowledge(type, result.ok()));
  }

  private void send(Answer answer) throws IOException {
    device.send(Frames.encode(answer));
  }

  private void close() {
    closed = true;
    device.close();
  }

  @Override
  public void onTimerTimeout() throws IOException {
    send(Answer.disconnect());
    close();
  }

  @Override
  public void onReceivedMessages(List<Message> messages) throws IOException {
    for (Message m : messages) {
      send(Answer.publish(m));
    }
  }
}
