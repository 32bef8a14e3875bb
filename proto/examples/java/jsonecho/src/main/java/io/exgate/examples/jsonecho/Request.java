package io.exgate.examples.jsonecho;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import io.exgate.handler.ClientInfo;

/** A frame of a device. What it does not have is 0 or null. */
@JsonIgnoreProperties(ignoreUnknown = true)
record Request(int type, Client clientinfo, String password, String topic, int qos, String payload) {
  static final int CONNECT = 1;
  static final int PUBLISH = 3;
  static final int SUBSCRIBE = 5;
  static final int UNSUBSCRIBE = 7;
  static final int DISCONNECT = 9;
  static final int RAW_PUBLISH = 10;

  Request {
    clientinfo = clientinfo == null ? new Client(null, null, null, null, null, 0) : clientinfo;
    topic = topic == null ? "" : topic;
    payload = payload == null ? "" : payload;
  }

  /**
   * Who a device says it is.
   *
   * @param keepalive seconds, or 0
   */
  @JsonIgnoreProperties(ignoreUnknown = true)
  record Client(
      @JsonProperty("proto_name") String protoName,
      @JsonProperty("proto_ver") String protoVersion,
      String clientid,
      String username,
      String mountpoint,
      int keepalive) {

    ClientInfo info() {
      return new ClientInfo(protoName, protoVersion, clientid, username, mountpoint);
    }
  }
}
