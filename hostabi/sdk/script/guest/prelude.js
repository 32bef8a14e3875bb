// What is easier to say in JavaScript than in C: messages, and the handler of a payload codec. It runs before the script, and returns what the guest
// calls: hooks(script's functions, configuration), which adds the hooks of a codec, and the prototype of messages.
(function (text) {
  'use strict';
  const parse = JSON.parse;
  const message = {
    text() { return text(this.payload); },
    json() { return parse(text(this.payload)); },
  };

  function clientOf(conn, template) {
    return template.replace(/\$\{(peer_host|peer_port|cert_common_name)\}/g, (_, name) =>
      name === 'peer_host' ? conn.peer.host : name === 'peer_port' ? conn.peer.port : conn.certificate.commonName);
  }

  function problems(what, list, level) {
    if (Array.isArray(list) && list.length > 0) console[level](what + ': ' + list.join('; '));
    return Array.isArray(list) && list.length > 0;
  }

  // Calls a codec's function. One payload that it fails at does not end the device's connection.
  function attempt(what, f) {
    let result = {};
    try {
      result = f() ?? result;
    } catch (error) {
      console.error(what + ': ' + error + ' ' + String(error?.stack ?? '').split('\n')[0].trim());
    }
    problems(what, result.warnings, 'warn');
    return problems(what, result.errors, 'error') ? {} : result;
  }

  // The hooks of a payload codec: a frame is an uplink, and what is published to the topic down is a downlink.
  function codec(script, config) {
    const options = config !== null && typeof config === 'object' ? config : {};
    const port = options.port ?? 1;
    const variables = options.variables ?? {};
    const up = options.up ?? '${client_id}/up';
    const down = options.down ?? '${client_id}/down';
    const topic = (conn, template) => template.split('${client_id}').join(conn.clientId);
    const { decodeUplink, encodeDownlink, decode, decoder, encode, encoder } = script;

    function decoded(frame) {
      const bytes = Array.from(frame);
      if (decodeUplink) return decodeUplink({ bytes, fPort: port, recvTime: new Date(), variables });
      return { data: decode ? decode(port, bytes, variables) : decoder(bytes, port) };
    }
    function encoded(data) {
      if (encodeDownlink) return encodeDownlink({ data, fPort: port, variables });
      return { bytes: encode ? encode(port, data, variables) : encoder(data, port) };
    }

    return {
      onConnect(conn) {
        conn.login({
          clientId: clientOf(conn, options.client_id ?? '${peer_host}'), username: options.username, password: options.password,
        }, (result) => {
          if (!result.ok) conn.close('the login was refused: ' + result.message);
          else if (encodeDownlink || encode || encoder) conn.subscribe(topic(conn, down), { qos: 1 });
        });
      },
      onFrame(conn, frame) {
        const { data } = attempt('decoding', () => decoded(frame));
        if (data !== undefined && data !== null) conn.publish(topic(conn, up), data, { qos: 1 });
      },
      onMessage(conn, m) {
        const result = attempt('encoding', () => encoded(m.json()));
        if (result.bytes !== undefined) conn.send(result.bytes);
      },
    };
  }

  return {
    message,
    hooks(script, config) {
      if (script.onFrame || script.onBytes) return script;
      if (!script.decodeUplink && !script.decode && !script.decoder) return script;
      const all = codec(script, config);
      for (const name of Object.keys(script)) all[name] = script[name] ?? all[name];
      return all;
    },
  };
})
