// Runs after the script, in its scope, where also const and let are seen.
({
  onConnect: typeof onConnect === 'function' ? onConnect : undefined,
  onBytes: typeof onBytes === 'function' ? onBytes : undefined,
  onFrame: typeof onFrame === 'function' ? onFrame : undefined,
  onFrameError: typeof onFrameError === 'function' ? onFrameError : undefined,
  onMessage: typeof onMessage === 'function' ? onMessage : undefined,
  onTimer: typeof onTimer === 'function' ? onTimer : undefined,
  onKeepAlive: typeof onKeepAlive === 'function' ? onKeepAlive : undefined,
  onDrain: typeof onDrain === 'function' ? onDrain : undefined,
  onClose: typeof onClose === 'function' ? onClose : undefined,
  decodeUplink: typeof decodeUplink === 'function' ? decodeUplink : undefined,
  encodeDownlink: typeof encodeDownlink === 'function' ? encodeDownlink : undefined,
  decode: typeof Decode === 'function' ? Decode : undefined,
  decoder: typeof Decoder === 'function' ? Decoder : undefined,
  encode: typeof Encode === 'function' ? Encode : undefined,
  encoder: typeof Encoder === 'function' ? Encoder : undefined,
  framing: typeof framing === 'string' ? framing : undefined,
})
