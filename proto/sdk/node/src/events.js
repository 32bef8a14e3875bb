// The values passed to callbacks: plain objects, the same in every dialect.

const address = (a) => ({ host: a?.host ?? '', port: a?.port ?? 0 });

export const SocketType = Object.freeze({ TCP: 0, SSL: 1, UDP: 2, DTLS: 3 });

export const TimerType = Object.freeze({ KEEPALIVE: 0 });

export function connInfo(info, properties = []) {
  return {
    socktype: info?.socktype ?? SocketType.TCP,
    peername: address(info?.peername),
    sockname: address(info?.sockname),
    peercert: info?.peercert ? { cn: info.peercert.cn, dn: info.peercert.dn } : null,
    properties: properties.map(pair),
  };
}

export function clientInfo(info) {
  if (!info) return null;
  const { clientid, username, mountpoint } = info;
  return { clientid, username, protoName: info.proto_name, protoVer: info.proto_ver, mountpoint };
}

/** The messages. found has the properties of some of them, by index. */
export function messages(list, found = {}) {
  return list.map((m, index) => {
    const { topic, payload, qos, id, node, from, timestamp } = m;
    return { topic, payload, qos, id, node, from, timestamp, properties: properties(found[index]) };
  });
}

function properties(p) {
  if (!p) return null;
  const { retain, expiry, correlation, user } = p;
  return { retain, expiry, contentType: p.content_type, responseTopic: p.response_topic, correlation, user: user.map(pair) };
}

function pair({ name, value }) {
  return [name, value];
}
