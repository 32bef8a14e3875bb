package io.exgate.handler;

/**
 * A connection.
 *
 * @param peer the device's end
 * @param local the gateway's end
 * @param certificate the device's, or null where it sent none
 */
public record ConnInfo(SocketType socketType, Address peer, Address local, Certificate certificate) {

  /** The kind of socket a device uses. */
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
   * @param distinguishedName all of it, in the form of RFC 4514
   */
  public record Certificate(String commonName, String distinguishedName) {}
}
