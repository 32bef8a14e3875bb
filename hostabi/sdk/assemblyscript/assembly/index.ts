// Protocol modules for exgate in AssemblyScript: the guest side of exproto_v1. README.md is the guide.

export { Action, Code, Level, SocketType, TimerType, NO_ANSWER } from "./constants";
export { Address, CertificateInfo, ConnInfo } from "./conninfo";
export { ClientInfo, Conn } from "./conn";
export { Handler, Protocol } from "./handler";
export { Message } from "./message";
export { Outcome } from "./outcome";
export { Properties, Property, Request } from "./properties";
export { abort } from "./abort";
export { log } from "./host";
export { serve, exproto_v1_buffer, exproto_v1_init, exproto_v1_bytes, exproto_v1_event } from "./module";
export * from "./framing";
export { FrameHandler, LOGIN, MAX_FRAMES, MAX_HELD } from "./frames";
export * from "./checksum";
export { PacketReader, PacketWriter } from "./packet";
export { daysIn, leapYear, Time } from "./civil";
export { fromGBK, GBK } from "./gbk";
export { JSONWriter } from "./json";
