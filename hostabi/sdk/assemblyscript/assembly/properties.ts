import { Code } from "./constants";
import { Conn } from "./conn";
import { Fields, Writer } from "./wire";

/** A named value of a connection or of a message. */
export class Property {
  constructor(
    public name: string = "",
    public value: string = "",
  ) {}
}

/** What a message carries beside its topic, QoS and payload, as in MQTT 5. Each is optional. */
export class Properties {
  /** Asks the broker to keep the message for later subscribers. Of a received message it says that the broker had kept it. */
  retain: bool = false;
  /** Seconds until the message expires; 0: it does not. */
  expiry: u32 = 0;
  contentType: string = "";
  /** Where an answer is expected. */
  responseTopic: string = "";
  /** What an answer repeats. */
  correlation: Uint8Array = new Uint8Array(0);
  /** At most 64. */
  user: Property[] = [];

  /** Encodes the message Properties. */
  encode(): Writer {
    const type = String.UTF8.encode(this.contentType);
    const response = String.UTF8.encode(this.responseTopic);
    const pairs: Writer[] = [];
    let room = 64 + type.byteLength + response.byteLength + this.correlation.length;
    for (let i = 0; i < this.user.length; i++) {
      const pair = encodePair(this.user[i]);
      pairs.push(pair);
      room += pair.length + 8;
    }
    const w = new Writer(room);
    w.number(1, this.retain ? 1 : 0);
    w.number(2, this.expiry);
    w.put(3, changetype<usize>(type), type.byteLength);
    w.put(4, changetype<usize>(response), response.byteLength);
    w.put(5, this.correlation.dataStart, this.correlation.length);
    for (let i = 0; i < pairs.length; i++) w.message(6, pairs[i]);
    return w;
  }
}

function encodePair(p: Property): Writer {
  const name = String.UTF8.encode(p.name);
  const value = String.UTF8.encode(p.value);
  const w = new Writer(name.byteLength + value.byteLength + 16);
  w.put(1, changetype<usize>(name), name.byteLength);
  w.put(2, changetype<usize>(value), value.byteLength);
  return w;
}

/** Reads a Properties message; null if it is malformed. */
export function readProperties(fields: Fields): Properties | null {
  const p = new Properties();
  while (fields.next()) {
    switch (<i32>fields.number) {
      case 1:
        p.retain = fields.value != 0;
        break;
      case 2:
        p.expiry = fields.low();
        break;
      case 3:
        p.contentType = fields.text();
        break;
      case 4:
        p.responseTopic = fields.text();
        break;
      case 5:
        p.correlation = fields.bytes();
        break;
      case 6:
        const pair = fields.message();
        p.user.push(readProperty(pair));
        if (pair.malformed) return null;
        break;
    }
  }
  return fields.malformed ? null : p;
}

export function readProperty(fields: Fields): Property {
  const p = new Property();
  while (fields.next()) {
    if (fields.number == 1) p.name = fields.text();
    if (fields.number == 2) p.value = fields.text();
  }
  return p;
}

/** What a message's sender needs to match an answer to it. It outlives the event. */
export class Request {
  constructor(
    private topic: string,
    private correlation: Uint8Array,
  ) {}

  /** The request with these properties of a message; null if it expects no answer. */
  static of(properties: Properties): Request | null {
    return properties.responseTopic.length == 0 ? null : new Request(properties.responseTopic, properties.correlation);
  }

  /** Publishes the answer, with the request's correlation data. See Conn.publishWith. */
  answer(conn: Conn, token: i64, qos: u32, payload: Uint8Array): Code {
    const properties = new Properties();
    properties.correlation = this.correlation;
    return conn.publishWith(token, this.topic, qos, payload, properties);
  }
}
