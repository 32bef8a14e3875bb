// The operations of hostabi/sdk/vectors as a module: run returns the outcome of one.

import * as sdk from "../assembly";
import { CRC, Custom, Framer, FrameError, GBK, fromGBK, JSONWriter } from "../assembly";
import { PacketReader, PacketWriter, Piece, Time } from "../assembly";
export { abort } from "../assembly";

export function run(op: string): string {
  const words = op.split(" ");
  const name = words[0];
  if (name == "crc") return crc(words[1], unhex(words[2]), new Uint8Array(0));
  if (name == "crc2") return crc(words[1], unhex(words[2]), unhex(words[3]));
  if (name == "read") return read(unhex(words[1]), words.slice(2));
  if (name == "write") return write(<i32>parseInt(words[1]), words.slice(2));
  if (name == "civil") return civil(i64.parse(words[1]), i32.parse(words[2]));
  if (name == "unix") return unix(words);
  if (name == "bcdtime") {
    const t = Time.fromBCD(unhex(words[1]));
    return t === null ? "invalid" : t.text() + " " + digits(t.bcd());
  }
  if (name == "json") return writeJSON(i32.parse(words[1]), words.slice(2));
  if (name == "gbk") return digits(Uint8Array.wrap(String.UTF8.encode(fromGBK(unhex(words[1])))));
  if (name == "togbk") {
    const bytes = unhex(words[1]);
    const gbk = new GBK(String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length));
    return digits(gbk.bytes) + " " + gbk.all.toString();
  }
  if (name == "ft12") return ft12(words[1].split(","));
  return "the operation " + name;
}

function unhex(text: string): Uint8Array {
  if (text == "-") return new Uint8Array(0);
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = <u8>parseInt(text.substr(2 * i, 2), 16);
  return bytes;
}

function hex(v: u64, width: i32): string {
  return v.toString(16).padStart(width, "0");
}

function digits(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += hex(bytes[i], 2);
  return text == "" ? "-" : text;
}

const crcs = new Map<string, CRC>();
crcs.set("crc8_maxim_dow", sdk.crc8MaximDow());
crcs.set("crc8_rohc", sdk.crc8ROHC());
crcs.set("crc8_sae_j1850", sdk.crc8SAEJ1850());
crcs.set("crc8_smbus", sdk.crc8SMBus());
crcs.set("crc16_arc", sdk.crc16ARC());
crcs.set("crc16_ccitt_false", sdk.crc16CCITTFalse());
crcs.set("crc16_dnp", sdk.crc16DNP());
crcs.set("crc16_en13757", sdk.crc16EN13757());
crcs.set("crc16_genibus", sdk.crc16Genibus());
crcs.set("crc16_kermit", sdk.crc16Kermit());
crcs.set("crc16_maxim_dow", sdk.crc16MaximDow());
crcs.set("crc16_mcrf4xx", sdk.crc16MCRF4XX());
crcs.set("crc16_modbus", sdk.crc16Modbus());
crcs.set("crc16_umts", sdk.crc16UMTS());
crcs.set("crc16_usb", sdk.crc16USB());
crcs.set("crc16_x25", sdk.crc16X25());
crcs.set("crc16_xmodem", sdk.crc16XModem());
crcs.set("crc32_bzip2", sdk.crc32Bzip2());
crcs.set("crc32_iscsi", sdk.crc32ISCSI());
crcs.set("crc32_iso_hdlc", sdk.crc32ISOHDLC());
crcs.set("crc32_mpeg2", sdk.crc32MPEG2());

function crc(name: string, a: Uint8Array, b: Uint8Array): string {
  if (name == "lrc") return hex(sdk.lrc(a), 2);
  if (name == "sum8") return hex(sdk.sum8(a), 2);
  if (name == "sum16") return hex(sdk.sum16(a), 4);
  if (name == "xor") return hex(sdk.xor(a), 2);
  const kind = crcs.get(name);
  return hex(kind.update(kind.sum(a), b), name.startsWith("crc8") ? 2 : name.startsWith("crc16") ? 4 : 8);
}

function read(frame: Uint8Array, fields: string[]): string {
  const r = new PacketReader(frame);
  const out: string[] = [];
  for (let i = 0; i < fields.length; i++) {
    const words = fields[i].split(":");
    const value = readField(r, words[0], words.length > 1 ? i32.parse(words[1]) : 0);
    if (value != "") out.push(value);
  }
  out.push(r.done ? "done" : r.ok ? "ok" : "bad");
  out.push(r.left.toString());
  return out.join(" ");
}

function readField(r: PacketReader, name: string, n: i32): string {
  if (name == "u8") return r.uint8().toString();
  if (name == "u16") return r.uint16().toString();
  if (name == "u16le") return r.uint16LE().toString();
  if (name == "u24") return r.uint24().toString();
  if (name == "u24le") return r.uint24LE().toString();
  if (name == "u32") return r.uint32().toString();
  if (name == "u32le") return r.uint32LE().toString();
  if (name == "u64") return r.uint64().toString();
  if (name == "u64le") return r.uint64LE().toString();
  if (name == "i8") return r.int8().toString();
  if (name == "i16") return r.int16().toString();
  if (name == "i16le") return r.int16LE().toString();
  if (name == "i32") return r.int32().toString();
  if (name == "i32le") return r.int32LE().toString();
  if (name == "i64") return r.int64().toString();
  if (name == "i64le") return r.int64LE().toString();
  if (name == "f32") return hex(reinterpret<u32>(r.float32()), 0);
  if (name == "f32le") return hex(reinterpret<u32>(r.float32LE()), 0);
  if (name == "f64") return hex(reinterpret<u64>(r.float64()), 0);
  if (name == "f64le") return hex(reinterpret<u64>(r.float64LE()), 0);
  if (name == "bcd") return r.bcd(n).toString();
  if (name == "bcdle") return r.bcdLE(n).toString();
  if (name == "bits") return r.bits(n).toString();
  if (name == "bytes") return digits(r.bytes(n));
  if (name == "rest") return digits(r.rest());
  if (name == "skip") r.skip(n);
  if (name == "fail") r.fail();
  return "";
}

function write(most: i32, fields: string[]): string {
  const w = new PacketWriter(most);
  w.uint8(1);
  w.reset(); // after an earlier frame
  for (let i = 0; i < fields.length; i++) {
    const words = fields[i].split("=");
    const name = words[0].split(":");
    writeField(w, name[0], name.length > 1 ? i32.parse(name[1]) : 0, words[1]);
  }
  return digits(w.written()) + (w.ok ? " ok" : " full");
}

function writeField(w: PacketWriter, name: string, n: i32, value: string): void {
  if (name == "bytes") return w.bytes(unhex(value));
  if (name == "text") {
    const bytes = unhex(value);
    return w.text(String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length));
  }
  const v = U64.parseInt(value, name.startsWith("f") ? 16 : 10);
  if (name == "u8") w.uint8(<u8>v);
  if (name == "u16") w.uint16(<u16>v);
  if (name == "u16le") w.uint16LE(<u16>v);
  if (name == "u24") w.uint24(<u32>v);
  if (name == "u24le") w.uint24LE(<u32>v);
  if (name == "u32") w.uint32(<u32>v);
  if (name == "u32le") w.uint32LE(<u32>v);
  if (name == "u64") w.uint64(v);
  if (name == "u64le") w.uint64LE(v);
  if (name == "f32") w.float32(reinterpret<f32>(<u32>v));
  if (name == "f32le") w.float32LE(reinterpret<f32>(<u32>v));
  if (name == "f64") w.float64(reinterpret<f64>(v));
  if (name == "f64le") w.float64LE(reinterpret<f64>(v));
  if (name == "bcd") w.bcd(v, n);
  if (name == "bcdle") w.bcdLE(v, n);
}

function civil(seconds: i64, offset: i32): string {
  const t = Time.fromUnix(seconds, offset);
  return t === null ? "invalid" : t.text(offset);
}

function unix(words: string[]): string {
  const v = words.slice(1).map<i32>((word) => i32.parse(word));
  const t = new Time(v[0], v[1], v[2], v[3], v[4], v[5]);
  return t.valid() ? t.unix(v[6]).toString() : "invalid";
}

function writeJSON(most: i32, calls: string[]): string {
  const w = new JSONWriter(most);
  w.object();
  w.reset(); // after an earlier text
  for (let i = 0; i < calls.length; i++) {
    const words = calls[i].split(":");
    const name = words[0];
    if (name == "{") w.object();
    if (name == "}") w.endObject();
    if (name == "[") w.array();
    if (name == "]") w.endArray();
    if (name == "k") {
      const bytes = unhex(words[1]);
      w.key(String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length));
    }
    if (name == "t") w.textBytes(unhex(words[1]));
    if (name == "i") w.int(I64.parseInt(words[1]));
    if (name == "u") w.uint(U64.parseInt(words[1]));
    if (name == "d") w.decimal(I64.parseInt(words[1]), i32.parse(words[2]));
    if (name == "f") w.float(reinterpret<f64>(U64.parseInt(words[1], 16)), i32.parse(words[2]));
    if (name == "b") w.bool(words[1] == "1");
    if (name == "n") w.null();
  }
  return w.ok ? digits(w.written()) : "bad";
}

function measure(b: Uint8Array): i32 {
  if (b[0] == 0xe5) return 1;
  if (b[0] == 0x10) return 5;
  if (b[0] != 0x68) return -1;
  if (b.length < 4) return 0;
  return b[1] == b[2] && b[3] == 0x68 ? <i32>b[1] + 6 : -1;
}

function outcomes(framer: Framer, pieces: string[]): string[] {
  const all: string[] = [];
  for (let i = 0; i < pieces.length; i++) {
    const piece = new Piece(unhex(pieces[i]));
    while (framer.next(piece)) {
      const error = framer.error;
      all.push(error == FrameError.TooLong ? "too_long" : error == FrameError.Broken ? "broken" : digits(framer.frame));
    }
  }
  return all;
}

function ft12(pieces: string[]): string {
  const framer = new Custom(measure, 32).framer();
  const all = outcomes(framer, pieces);
  all.push("held=" + framer.held().toString());
  return all.join(" ");
}
