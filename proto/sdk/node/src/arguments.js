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

/** Properties of a message, or the error that they are none. */
export function properties({ retain = false, expiry = 0, contentType = '', responseTopic = '', correlation = '', user = [] }) {
  if (typeof retain !== 'boolean') throw new TypeError('retain is not a boolean');
  if (!Array.isArray(user)) throw new TypeError('user is not an array');
  return {
    retain,
    expiry: number(expiry, 'expiry'),
    content_type: text(contentType, 'contentType'),
    response_topic: text(responseTopic, 'responseTopic'),
    correlation: bytes(correlation, 'correlation'),
    user: user.map(([name, value]) => ({ name: text(name, 'the name of a user property'), value: text(value, 'a user property') })),
  };
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
