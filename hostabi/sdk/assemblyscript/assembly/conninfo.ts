import { SocketType } from "./constants";
import { Property, readProperty } from "./properties";
import { Fields } from "./wire";

/** One end of a connection. */
export class Address {
  /** An IP address, IPv6 without brackets. */
  host: string = "";
  port: u32 = 0;
}

/** The subject of a device's certificate. */
export class CertificateInfo {
  /** The common name. */
  cn: string = "";
  /** The distinguished name, in the form of RFC 4514. */
  dn: string = "";
}

/** Describes a connection. */
export class ConnInfo {
  socketType: SocketType = SocketType.TCP;
  /** The device's end. */
  peer: Address = new Address();
  /** The gateway's end. */
  local: Address = new Address();
  /** null if the device has not presented a certificate. */
  peerCert: CertificateInfo | null = null;
  /** What else the listener knows, such as the path of a WebSocket. */
  properties: Property[] = [];

  /** The value of the first property with this name, or "". */
  property(name: string): string {
    for (let i = 0; i < this.properties.length; i++) {
      if (this.properties[i].name == name) return this.properties[i].value;
    }
    return "";
  }
}

/** Reads a ConnInfo message; null if it is malformed. */
export function readConnInfo(fields: Fields): ConnInfo | null {
  const info = new ConnInfo();
  while (fields.next()) {
    const inner = fields.message();
    switch (<i32>fields.number) {
      case 1:
        info.socketType = <SocketType>fields.low();
        break;
      case 2:
        readAddress(inner, info.peer);
        break;
      case 3:
        readAddress(inner, info.local);
        break;
      case 4:
        info.peerCert = readCertificate(inner);
        break;
      case 5:
        info.properties.push(readProperty(inner));
        break;
    }
    if (inner.malformed) return null;
  }
  return fields.malformed ? null : info;
}

function readAddress(fields: Fields, address: Address): void {
  while (fields.next()) {
    if (fields.number == 1) address.host = fields.text();
    if (fields.number == 2) address.port = fields.low();
  }
}

function readCertificate(fields: Fields): CertificateInfo {
  const cert = new CertificateInfo();
  while (fields.next()) {
    if (fields.number == 1) cert.cn = fields.text();
    if (fields.number == 2) cert.dn = fields.text();
  }
  return cert;
}
