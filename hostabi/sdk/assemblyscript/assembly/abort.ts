import { Level } from "./constants";
import { log } from "./host";

/** Called by compiled code that cannot continue (asc --use abort): logs the reason and the location, and ends the instance. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const why = message === null ? "abort" : message;
  const place = file === null ? "" : file;
  log(Level.Error, why + " at " + place + ":" + line.toString() + ":" + column.toString());
  unreachable();
}
