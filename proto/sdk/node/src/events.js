// The values passed to callbacks: plain objects, the same in every dialect.

const address = (a) => ({ host: a?.host ?? '', port: a?.port ?? 0 });

export const SocketType = Object.freeze({ TCP: 0, SSL: 1, UDP: 2, DTLS: 3 });

export const TimerType = Object.freeze({ KEEPALIVE: 0 });

export function connInfo(info) {
  return {
    socktype: info?.socktype ?? SocketType.TCP,
    peername: address(info?.peername),
    sockname: address(info?.sockname),
    peercert: info?.peercert ? { cn: info.peercert.cn, dn: info.peercert.dn } : null,
  };
}

export function clientInfo(info) {
  if (!info) return null;
  const { clientid, username, mountpoint } = info;
  return { clientid, username, protoName: info.proto_name, protoVer: info.proto_ver, mountpoint };
}

export function messages(list) {
  return list.map(({ topic, payload, qos, id, node, from, timestamp }) => ({ topic, payload, qos, id, node, from, timestamp }));
}
