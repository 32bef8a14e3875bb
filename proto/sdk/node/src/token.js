import { createHash, timingSafeEqual } from 'node:crypto';
import { Metadata, ServerInterceptingCall, status } from '@grpc/grpc-js';

const HEALTH = '/grpc.health.v1.Health/';

const digest = (text) => createHash('sha256').update(text).digest();

/** Rejects RPCs without the bearer token, except health checks, which orchestrators make without one. */
export function requireToken(token) {
  const want = digest(`Bearer ${token}`);
  const allowed = (metadata) => {
    const given = metadata.get('authorization');
    return given.length === 1 && timingSafeEqual(digest(given[0]), want);
  };
  return (method, call) =>
    new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, go) {
            if (method.path.startsWith(HEALTH) || allowed(metadata)) go(metadata);
            else call.sendStatus(refusal());
          },
        });
      },
    });
}

function refusal() {
  const details = "the gateway's token for this handler is missing or wrong: see token_file";
  return { code: status.UNAUTHENTICATED, details, metadata: new Metadata() };
}
