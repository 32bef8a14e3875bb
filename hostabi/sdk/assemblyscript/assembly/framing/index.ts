// Frames out of what a stream brings, however the network cut it. hostabi/conformance/framing.md says byte by byte what each of the four does.

export { Framer, FrameError, Piece, Rules, Strip, MAX_FRAME } from "./framing";
export { Delimiter } from "./delimiter";
export { Escape } from "./escape";
export { Fixed } from "./fixed";
export { Length } from "./length";
export { parseRules } from "./notation";
