// Checks the arguments of calls. Protobuf would accept any value: a qos of "high" would become 0.

const UINT32_MAX = 2 ** 32 - 1;

export function text(value, name) {
  if (typeof value !== 'string') throw new TypeError(`${name} is not a string`);
  return value;
}

export function number(value, name) {
  if (!Number.isInteger(value) || value < 0 || value > UINT32_MAX) throw new RangeError(`${name} is not an integer from 0 to ${UINT32_MAX}`);
  return value;
}

export function int32(value, name) {
  if (!Number.isInteger(value) || value !== (value | 0)) throw new RangeError(`${name} is not a 32-bit integer`);
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
