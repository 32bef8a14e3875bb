// The declarations, used as a program does: tsc checks this file.
import { type ConnInfo, Handler, type Message, run, Server } from '@exgate/handler';

class Typed extends Handler {
  async onSocketCreated(info: ConnInfo) {
    const login = await this.conn.authenticate({ clientid: info.peername.host });
    if (!login.ok) await this.conn.close();
  }

  async onReceivedBytes(data: Buffer) {
    const { ok, message } = await this.conn.publish('t', data, 1);
    await this.conn.send(ok ? 'ok' : message);
  }

  onReceivedMessages(messages: Message[]) {
    for (const { topic, payload } of messages) void this.conn.send(`${topic}: ${payload.toString()}`);
    for (const message of messages) if (message.properties?.retain) void this.conn.answer(message, message.properties.correlation.toString());
    void this.conn.publishWith('t', 'x', { retain: true, user: [['k', 'v']] }, 1);
  }
}

const server: Server = new Server(Typed, { listen: '127.0.0.1:0', token: 'x' });
server.start().then((address: string) => console.log(address));
void run(Typed, { listen: '127.0.0.1:0', adapter: '127.0.0.1:9100', log: (message, error) => console.error(message, error) });
