package io.exgate.handler;

import java.time.Instant;

/**
 * A message for a subscription.
 *
 * @param node the gateway's
 * @param id unique
 * @param qos the publisher's
 * @param from the publisher's client id, if the broker reports it
 * @param properties null without any, and in dialects other than session
 */
public record Message(String node, String id, int qos, String from, String topic, byte[] payload, Instant timestamp, Properties properties) {

  /** A message without properties. */
  public Message(String node, String id, int qos, String from, String topic, byte[] payload, Instant timestamp) {
    this(node, id, qos, from, topic, payload, timestamp, null);
  }
}
