package io.exgate.examples.jsonecho;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.exgate.handler.ClientInfo;
import io.exgate.handler.Connection;
import io.exgate.handler.Result;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A connection that writes down what is called, and answers as it is told. */
final class FakeDevice implements Connection {
  Result.Code answer = Result.Code.SUCCESS;
  private final List<String> calls = new ArrayList<>();

  void expect(String... want) {
    assertEquals(Arrays.asList(want), calls);
    calls.clear();
  }

  private Result note(String call) {
    calls.add(call);
    return new Result(answer, "");
  }

  @Override
  public String id() {
    return "fake";
  }

  @Override
  public Result send(byte[] bytes) {
    return note("send " + new String(bytes, UTF_8));
  }

  @Override
  public Result close() {
    return note("close");
  }

  @Override
  public Result authenticate(ClientInfo client, String password) {
    return note("authenticate " + client.clientId() + " " + password);
  }

  @Override
  public Result startTimer(Duration interval) {
    return note("timer " + interval);
  }

  @Override
  public Result publish(String topic, int qos, byte[] payload) {
    return note("publish " + topic + " " + qos + " " + new String(payload, UTF_8));
  }

  @Override
  public Result subscribe(String topic, int qos) {
    return note("subscribe " + topic + " " + qos);
  }

  @Override
  public Result unsubscribe(String topic) {
    return note("unsubscribe " + topic);
  }

  @Override
  public Result rawPublish(String topic, int qos, byte[] payload) {
    return note("raw publish " + topic + " " + qos + " " + new String(payload, UTF_8));
  }
}
