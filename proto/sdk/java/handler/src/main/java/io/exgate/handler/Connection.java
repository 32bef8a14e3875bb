package io.exgate.handler;

import java.time.Duration;
import java.util.List;

/**
 * The connection of one device. Every call blocks until its outcome is known: for {@link #authenticate}, {@link #publish}, {@link #subscribe} and
 * {@link #unsubscribe}, until the broker has answered. Failures are reported in the {@link Result}. Calls may be made from any thread, also inside
 * callbacks. The calls of one thread are executed in order.
 */
public interface Connection {

  /** The id of the connection: opaque, and never reused. */
  String id();

  /** Queues bytes for the device. It needs no authentication. In the session dialect it does not block: a closed connection is reported by its last event. */
  Result send(byte[] bytes);

  /** Closes the connection after sending the queued bytes. onSocketClosed follows. In the session dialect it does not block. */
  Result close();

  /** Opens the device's MQTT session. Only the client id is required. */
  Result authenticate(ClientInfo client, String password);

  /** Sets or replaces the timer that fires when the device has sent nothing for the interval: whole seconds, at least 1. */
  Result startTimer(Duration interval);

  /**
   * Sets or replaces the one-shot timer id, 0 to 15: {@link ConnectionHandler#onAlarm} is called once after this time, at least 10 ms. A negative time
   * cancels it. Nothing is closed. Timers stay with a connection that is resumed. Only in the session dialect, with a gateway that has timers.
   */
  default Result setTimer(int id, Duration after) {
    return new Result(Result.Code.PARAMS_TYPE_ERROR, "this dialect has no timers: use session");
  }

  /** What saveState saved last for this device and handler, as it came with the result of authenticate. Empty before that, and without any. */
  default byte[] state() {
    return new byte[0];
  }

  /**
   * Replaces the state that the gateway keeps for this device and handler: at most 4 KiB, unless it is configured otherwise. It comes back with the
   * device's next login, also after a restart; an empty one deletes it. It returns once the state is durable, within a second. Only in the session
   * dialect, with a gateway that keeps state.
   */
  default Result saveState(byte[] state) {
    return new Result(Result.Code.PARAMS_TYPE_ERROR, "this dialect has no state: use session");
  }

  /** Sends a message to the broker as the authenticated device. qos is 0, 1 or 2. */
  Result publish(String topic, int qos, byte[] payload);

  /** Publishes with properties; see {@link #publish}. The broker may refuse retain. Only in the session dialect, with a gateway that has properties. */
  default Result publishWith(String topic, int qos, byte[] payload, Properties properties) {
    return new Result(Result.Code.PARAMS_TYPE_ERROR, "this dialect has no properties: use session");
  }

  /** Publishes the answer to a message that has a response topic, with its correlation. The message may be kept and answered later. */
  default Result answer(Message request, int qos, byte[] payload) {
    Properties asked = request.properties();
    if (asked == null || asked.responseTopic().isEmpty()) {
      return new Result(Result.Code.REQUIRED_PARAMS_MISSED, "the message has no response topic");
    }
    return publishWith(asked.responseTopic(), qos, payload, new Properties(false, 0, "", "", asked.correlation(), List.of()));
  }

  /** Subscribes the authenticated device. Messages are passed to onReceivedMessages. qos is the highest QoS to receive. {@code $share/group/filter} is shared. */
  Result subscribe(String topic, int qos);

  /** Removes a subscription. It succeeds even if there is none. */
  Result unsubscribe(String topic);

  /** Publishes without authentication, access rules and mountpoint. Gateways refuse it unless configured to allow it. */
  Result rawPublish(String topic, int qos, byte[] payload);
}
