package io.exgate.examples.jsonecho;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.exgate.handler.Message;
import io.exgate.handler.Result;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonEchoTest {
  private final FakeDevice device = new FakeDevice();
  private final JsonEcho echo = new JsonEcho(device);

  private void receive(String text) throws Exception {
    echo.onReceivedBytes(text.getBytes(UTF_8));
  }

  @Test
  void conversation() throws Exception {
    receive("{\"type\":1,\"clientinfo\":{\"clientid\":\"c1\",\"keepalive\":60},\"password\":\"secret\"}{\"type\":5,\"topic\":\"t/#\",\"qos\":1}");
    receive("{\"type\":3,\"topic\":\"t/a\",\"qos\":2,\"payload\":\"x}\\\"{\"} \n {\"type\":10,\"topic\":\"r\",\"payload\":\"\u00e4\"}");
    echo.onReceivedMessages(List.of(new Message("n", "1", 2, "", "t/a", "x}\"{".getBytes(UTF_8), Instant.EPOCH)));
    receive("{\"type\":7,\"topic\":\"t/#\"}{\"type\":9}{\"type\":3}");
    device.expect(
        "authenticate c1 secret",
        "timer PT1M",
        "send {\"type\":2,\"code\":0}",
        "subscribe t/# 1",
        "send {\"type\":6,\"code\":0}",
        "publish t/a 2 x}\"{",
        "send {\"type\":4,\"code\":0}",
        "raw publish r 0 \u00e4",
        "send {\"type\":4,\"code\":0}",
        "send {\"type\":3,\"topic\":\"t/a\",\"qos\":2,\"payload\":\"x}\\\"{\"}",
        "unsubscribe t/#",
        "send {\"type\":8,\"code\":0}",
        "close");
  }

  @Test
  void aRefusedLoginCloses() throws Exception {
    device.answer = Result.Code.PERMISSION_DENY;
    receive("{\"type\":1}{\"type\":3}");
    device.expect("authenticate  null", "send {\"type\":2,\"code\":1}", "close");
  }

  @Test
  void aTimeoutSaysGoodbye() throws Exception {
    echo.onTimerTimeout();
    device.expect("send {\"type\":9}", "close");
  }

  @Test
  void framesComeInAnyPieces() throws Exception {
    byte[] input = " \n{\"type\":5,\"topic\":\"{\\\\\\\"}\u00e4\"}\r\n{\"type\":7,\"topic\":\"a\",\"more\":{\"deep\":[{}]}}{\"type\":9}".getBytes(UTF_8);
    for (int size = 1; size <= input.length; size++) {
      FakeDevice d = new FakeDevice();
      JsonEcho e = new JsonEcho(d);
      for (int at = 0; at < input.length; at += size) {
        e.onReceivedBytes(Arrays.copyOfRange(input, at, Math.min(at + size, input.length)));
      }
      d.expect("subscribe {\\\"}\u00e4 0", "send {\"type\":6,\"code\":0}", "unsubscribe a", "send {\"type\":8,\"code\":0}", "close");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET / HTTP/1.0\r\n\r\n",
        "[1]",
        "{\"type\":}",
        "{\"type\":\"one\"}",
        "{\"type\":3,\"qos\":4294967296}",
        "{\"type\":77}",
        "{\"x\":[[[[[[[[[[[[[[[[",
        "{\"x\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
            + "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
        "{\"type\":9}]"
      })
  void whatIsNoFrameCloses(String input) throws Exception {
    receive(input);
    device.expect("close");
  }

  @Test
  void whatNeverEndsCloses() throws Exception {
    receive("{\"x\":\"");
    for (int i = 0; i < 5; i++) {
      receive("y".repeat(16 << 10));
    }
    device.expect("close");
  }
}
