import { Code } from "./constants";
import { Fields } from "./wire";

/** The outcome of a call that the broker answered. */
export class Outcome {
  code: Code = Code.Success;
  /** For a person; empty on success. */
  message: string = "";
  /** Of an authenticate that succeeded: what saveState saved last; empty without any. */
  state: Uint8Array = new Uint8Array(0);

  /** Whether it succeeded. */
  get ok(): bool {
    return this.code == Code.Success;
  }
}

/** Reads a CodeResponse message; null if it is malformed. */
export function readOutcome(fields: Fields): Outcome | null {
  const outcome = new Outcome();
  while (fields.next()) {
    if (fields.number == 1) outcome.code = <Code>fields.low();
    if (fields.number == 2) outcome.message = fields.text();
    if (fields.number == 3) outcome.state = fields.bytes();
  }
  return fields.malformed ? null : outcome;
}
