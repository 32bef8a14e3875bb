package io.exgate.handler;

/**
 * A connection.
 *
 * @param peer the device's end
 * @param local the gateway's end
 * @param certificate the device's certificate, or null without one
 */
public record ConnInfo(SocketType socketType, Address peer, Address local, Certificate certificate) {

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
