// The services of the contract, from the .proto files of the package.

import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';

export const UNARY_SERVICE = 'emqx.exproto.v1.ConnectionUnaryHandler';
export const STREAM_SERVICE = 'emqx.exproto.v1.ConnectionHandler';
export const SESSION_SERVICE = 'exgate.handler.v1.SessionHandler';
export const ADAPTER_SERVICE = 'emqx.exproto.v1.ConnectionAdapter';

const folder = fileURLToPath(new URL('../proto', import.meta.url));

// The 64-bit numbers of the contract are counters, which a JavaScript number can hold.
export const contract = loadSync(['exproto/exproto.proto', 'exgate/handler/v1/handler.proto'], {
  includeDirs: [folder],
  keepCase: true,
  defaults: true,
  oneofs: true,
  longs: Number,
  enums: Number,
});
