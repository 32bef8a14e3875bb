// Copies the .proto files of the repository, which the package reads when it starts.
import { cpSync } from 'node:fs';

const files = ['exproto/exproto.proto', 'exgate/handler/v1/handler.proto'];
for (const file of files) {
  cpSync(new URL(`../../${file}`, import.meta.url), new URL(`proto/${file}`, import.meta.url));
}
