import { Level } from "./constants";
import { log } from "./host";

/** What asc calls where a program cannot go on, given to it with --use abort: the log gets the reason and the place, and the instance ends. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const why = message === null ? "abort" : message;
  const place = file === null ? "" : file;
  log(Level.Error, why + " at " + place + ":" + line.toString() + ":" + column.toString());
  unreachable();
}
