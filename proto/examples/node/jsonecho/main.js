// Serves the JSON echo protocol: node jsonecho/main.js --listen 127.0.0.1:9001 --adapter 127.0.0.1:9100
import { parseArgs } from 'node:util';
import { run } from '@exgate/handler';
import { JSONEcho } from './protocol.js';

const { values: settings } = parseArgs({
  options: {
    listen: { type: 'string', default: '127.0.0.1:9001' },
    adapter: { type: 'string', default: '127.0.0.1:9100' },
  },
});
await run(JSONEcho, settings);
