package io.exgate.handler;

import java.util.List;

/**
 * A connection.
 *
 * @param peer the device's end
 * @param local the gateway's end
 * @param certificate the device's certificate, or null without one
 * @param properties what else the listener knows, such as the path of a WebSocket; empty in dialects other than session
 */
public record ConnInfo(SocketType socketType, Address peer, Address local, Certificate certificate, List<Property> properties) {

  /** A connection without properties. */
  public ConnInfo(SocketType socketType, Address peer, Address local, Certificate certificate) {
    this(socketType, peer, local, certificate, List.of());
  }

  /** The value of the property with this name, or "". */
  public String property(String name) {
    return properties.stream().filter(p -> p.name().equals(name)).map(Property::value).findFirst().orElse("");
  }

  /** The type of a device's socket. */
  public enum SocketType {
    TCP,
    SSL,
    UDP,
    DTLS
  }

  /** One end of a socket. */
  public record Address(String host, int port) {}

  /**
   * The subject of a certificate.
   *
   * @param commonName its common name
   * @param distinguishedName the whole subject, in the form of RFC 4514
   */
  public record Certificate(String commonName, String distinguishedName) {}
}
