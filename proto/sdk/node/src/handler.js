/** The handler of one connection: the server makes one for each. See index.d.ts for what its methods may be. */
export class Handler {
  constructor(conn) {
    this.conn = conn;
  }

  async onSocketCreated(_info) {}

  async onSocketResumed(info, _client) {
    await this.onSocketCreated(info);
  }

  async onReceivedBytes(_data) {}

  async onTimerTimeout(_type) {}

  async onReceivedMessages(_messages) {}

  async onDrain() {}

  async onSocketClosed(_reason) {}
}
