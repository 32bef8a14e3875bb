// What a handler gives to its connection, as fields of messages. Protobuf itself would make something of any value: a qos of "high" would be 0.

const UINT32_MAX = 2 ** 32 - 1;

export function text(value, name) {
  if (typeof value !== 'string') throw new TypeError(`${name} is no string`);
  return value;
}

export function number(value, name) {
  if (!Number.isInteger(value) || value < 0 || value > UINT32_MAX) throw new RangeError(`${name} is no number from 0 to ${UINT32_MAX}`);
  return value;
}

export function bytes(value, name) {
  if (typeof value === 'string') return Buffer.from(value);
  if (!(value instanceof Uint8Array)) throw new TypeError(`${name} is neither a string nor a Uint8Array`);
  return value;
}

export function client({ clientid, username = '', protoName = '', protoVer = '', mountpoint = '' }) {
  return {
    clientid: text(clientid, 'clientid'),
    username: text(username, 'username'),
    proto_name: text(protoName, 'protoName'),
    proto_ver: text(protoVer, 'protoVer'),
    mountpoint: text(mountpoint, 'mountpoint'),
  };
}
