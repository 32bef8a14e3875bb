package io.exgate.handler;

import java.time.Duration;

/**
 * The connection of one device. Every call waits until its outcome is known, which for {@link #authenticate}, {@link #publish}, {@link #subscribe} and
 * {@link #unsubscribe} is when the broker has answered; trouble of any kind is in the {@link Result}. Calls may be made inside callbacks and anywhere
 * else, from any thread; they are carried out in the order in which one thread makes them.
 */
public interface Connection {

  /** The connection's name: opaque, and never used again. */
  String id();

  /** Queues bytes for the device. It needs no authentication. In the session dialect it does not wait: a connection that is gone has its last event. */
  Result send(byte[] bytes);

  /** Ends the connection after what was sent went out. onSocketClosed follows. In the session dialect it does not wait. */
  Result close();

  /** Opens the device's MQTT session. Only the client id is required. */
  Result authenticate(ClientInfo client, String password);

  /** Sets or replaces the timer that fires when the device sends nothing for the interval: whole seconds, at least 1. */
  Result startTimer(Duration interval);

  /** Sends a message to the broker as the authenticated device. qos is 0, 1 or 2. */
  Result publish(String topic, int qos, byte[] payload);

  /** Subscribes the authenticated device; the messages come to onReceivedMessages. qos is the highest wanted. {@code $share/group/filter} shares. */
  Result subscribe(String topic, int qos);

  /** Removes a subscription. Removing one that does not exist succeeds. */
  Result unsubscribe(String topic);

  /** Publishes past authentication, access control and mountpoint. Gateways refuse it unless they are configured to allow it. */
  Result rawPublish(String topic, int qos, byte[] payload);
}
