package io.exgate.handler;

/**
 * What a handler knows about a device. Only the client id is required; null means empty.
 *
 * @param mountpoint a prefix of the device's topics, which the device does not see
 */
public record ClientInfo(String protoName, String protoVersion, String clientId, String username, String mountpoint) {

  public ClientInfo {
    protoName = Convert.orEmpty(protoName);
    protoVersion = Convert.orEmpty(protoVersion);
    clientId = Convert.orEmpty(clientId);
    username = Convert.orEmpty(username);
    mountpoint = Convert.orEmpty(mountpoint);
  }

  /** A client with only an id. */
  public ClientInfo(String clientId) {
    this("", "", clientId, "", "");
  }
}
