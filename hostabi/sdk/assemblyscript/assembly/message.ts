import { Properties, readProperties } from "./properties";
import { Fields } from "./wire";

/** A message from the broker. */
export class Message {
  /** The gateway's name. */
  node: string = "";
  /** Unique. */
  id: string = "";
  /** The publisher's QoS. */
  qos: u32 = 0;
  /** The publisher's client id; empty if the broker does not report it. */
  from: string = "";
  /** Without the device's mountpoint. */
  topic: string = "";
  /** The published bytes. */
  payload: Uint8Array = new Uint8Array(0);
  /** Milliseconds since 1970. */
  timestamp: u64 = 0;
  /** What else it carries. */
  properties: Properties = new Properties();
}

/** Reads the messages of an event; null if one is malformed. */
export function readMessages(fields: Fields): Message[] | null {
  const all: Message[] = [];
  while (fields.next()) {
    if (fields.number != 2) continue;
    const message = readMessage(fields.message());
    if (message === null) return null;
    all.push(message);
  }
  return fields.malformed ? null : all;
}

function readMessage(fields: Fields): Message | null {
  const m = new Message();
  while (fields.next()) {
    switch (<i32>fields.number) {
      case 1:
        m.node = fields.text();
        break;
      case 2:
        m.id = fields.text();
        break;
      case 3:
        m.qos = fields.low();
        break;
      case 4:
        m.from = fields.text();
        break;
      case 5:
        m.topic = fields.text();
        break;
      case 6:
        m.payload = fields.bytes();
        break;
      case 7:
        m.timestamp = fields.value;
        break;
      case 8:
        const properties = readProperties(fields.message());
        if (properties === null) return null;
        m.properties = properties;
        break;
    }
  }
  return fields.malformed ? null : m;
}
