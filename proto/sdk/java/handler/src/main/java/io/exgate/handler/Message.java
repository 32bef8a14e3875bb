package io.exgate.handler;

import java.time.Instant;

/**
 * A message for a subscription.
 *
 * @param node the gateway's
 * @param id unique
 * @param qos the publisher's
 * @param from the publisher's client id, if the broker reports it
 */
public record Message(String node, String id, int qos, String from, String topic, byte[] payload, Instant timestamp) {}
