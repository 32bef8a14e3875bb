/** Handles the events of one connection. index.d.ts documents its methods. */
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

  async onAlarm(_id) {}

  async onReceivedMessages(_messages) {}

  async onDrain() {}

  async onSocketClosed(_reason) {}
}
