package io.exgate.examples.jsonecho;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.exgate.handler.Message;
import java.nio.charset.StandardCharsets;

/** A frame for a device. What is null is left out. */
@JsonInclude(JsonInclude.Include.NON_NULL)
record Answer(int type, Integer code, String topic, Integer qos, String payload) {

  static final int CONNACK = 2;
  static final int PUBACK = 4;
  static final int SUBACK = 6;
  static final int UNSUBACK = 8;

  static Answer acknowledge(int type, boolean ok) {
    return new Answer(type, ok ? 0 : 1, null, null, null);
  }

  static Answer publish(Message m) {
    return new Answer(Request.PUBLISH, null, m.topic(), m.qos(), new String(m.payload(), StandardCharsets.UTF_8));
  }

  static Answer disconnect() {
    return new Answer(Request.DISCONNECT, null, null, null, null);
  }
}
