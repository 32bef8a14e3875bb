export { Conn } from './conn.js';
export { SocketType, TimerType } from './events.js';
export { Handler } from './handler.js';
export { Code, Result } from './result.js';
export { run, Server } from './server.js';
