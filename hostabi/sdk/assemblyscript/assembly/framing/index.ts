// Splits a stream into frames, however the network has cut it. hostabi/conformance/framing.md defines the kinds
// byte by byte.

export { Framer, FrameError, Piece, Rules, Strip, MAX_FRAME } from "./framing";
export { Custom } from "./custom";
export { Delimiter } from "./delimiter";
export { Escape } from "./escape";
export { Fixed } from "./fixed";
export { Length } from "./length";
export { parseRules } from "./notation";
