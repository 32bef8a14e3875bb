package io.exgate.handler;

import com.google.protobuf.ByteString;
import java.util.List;

/**
 * What a message carries beside its topic, QoS and payload, as in MQTT 5. Each is optional; null means empty.
 *
 * @param retain asks the broker to keep the message; of a received message: the broker had kept it
 * @param expiry seconds; 0: the message does not expire
 * @param responseTopic where an answer is expected
 * @param correlation what an answer repeats
 * @param user at most 64; names may repeat
 */
public record Properties(boolean retain, int expiry, String contentType, String responseTopic, byte[] correlation, List<Property> user) {

  public Properties {
    contentType = Convert.orEmpty(contentType);
    responseTopic = Convert.orEmpty(responseTopic);
    correlation = correlation == null ? new byte[0] : correlation;
    user = user == null ? List.of() : List.copyOf(user);
  }

  static Properties of(io.exgate.handler.v1.Properties p) {
    return new Properties(
        p.getRetain(), p.getExpiry(), p.getContentType(), p.getResponseTopic(), p.getCorrelation().toByteArray(), list(p.getUserList()));
  }

  static List<Property> list(List<io.exgate.handler.v1.Property> properties) {
    return properties.stream().map(p -> new Property(p.getName(), p.getValue())).toList();
  }

  io.exgate.handler.v1.Properties encoded() {
    io.exgate.handler.v1.Properties.Builder all =
        io.exgate.handler.v1.Properties.newBuilder()
            .setRetain(retain)
            .setExpiry(expiry)
            .setContentType(contentType)
            .setResponseTopic(responseTopic)
            .setCorrelation(ByteString.copyFrom(correlation));
    user.forEach(u -> all.addUser(io.exgate.handler.v1.Property.newBuilder().setName(u.name()).setValue(u.value())));
    return all.build();
  }
}
