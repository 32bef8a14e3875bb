// The checksums of device protocols. The CRCs are named as in the catalogue of Greg Cook
// (https://reveng.sourceforge.io/crc-catalogue/), which has their parameters and the check value of each: the CRC of
// the text "123456789". A module contains only those that it uses.

/** Computes one kind of CRC, of 8 to 32 bits. */
export class CRC {
  private readonly mask: u32;
  private readonly table: StaticArray<u32> = new StaticArray<u32>(256);

  /**
   * @param bits the width, 8 to 32
   * @param poly the polynomial, most significant bit first
   * @param init what the register starts with; it must be the same backwards if reflected is set
   * @param xorout what is combined with the register at the end
   * @param reflected whether the least significant bit of a byte comes first, and the result is reflected
   */
  constructor(
    private readonly bits: u32,
    poly: u32,
    private readonly init: u32,
    private readonly xorout: u32,
    private readonly reflected: bool,
  ) {
    this.mask = 0xffffffff >> (32 - bits);
    const top: u32 = 1 << (bits - 1);
    let backwards: u32 = 0;
    for (let i: u32 = 0; i < bits; i++) backwards |= ((poly >> i) & 1) << (bits - 1 - i);
    for (let i: u32 = 0; i < 256; i++) {
      let r: u32 = reflected ? i : i << (bits - 8);
      for (let bit = 0; bit < 8; bit++) {
        if (reflected) r = r & 1 ? (r >> 1) ^ backwards : r >> 1;
        else r = r & top ? (r << 1) ^ poly : r << 1;
      }
      this.table[i] = r & this.mask;
    }
  }

  /** The CRC of bytes. */
  sum(bytes: Uint8Array): u32 {
    return this.update(this.init ^ this.xorout, bytes);
  }

  /** The CRC of everything that sum is the CRC of, followed by bytes. */
  update(sum: u32, bytes: Uint8Array): u32 {
    let r: u32 = (sum ^ this.xorout) & this.mask;
    for (let i = 0; i < bytes.length; i++) {
      const b: u32 = unchecked(bytes[i]);
      if (this.reflected) r = unchecked(this.table[(r ^ b) & 0xff]) ^ (r >> 8);
      else r = (unchecked(this.table[((r >> (this.bits - 8)) ^ b) & 0xff]) ^ (r << 8)) & this.mask;
    }
    return r ^ this.xorout;
  }
}

let built: StaticArray<CRC | null> | null = null;

/** The CRC with an index, made at first use: a module does not contain those that it does not call. */
function kind(index: i32, bits: u32, poly: u32, init: u32, xorout: u32, reflected: bool): CRC {
  let all = built;
  if (all === null) built = all = new StaticArray<CRC | null>(21);
  let crc = all[index];
  if (crc === null) all[index] = crc = new CRC(bits, poly, init, xorout, reflected);
  return crc;
}

/** CRC-8/MAXIM-DOW, of 1-Wire. */
export function crc8MaximDow(): CRC {
  return kind(0, 8, 0x31, 0, 0, true);
}

/** CRC-8/ROHC. */
export function crc8ROHC(): CRC {
  return kind(1, 8, 0x07, 0xff, 0, true);
}

/** CRC-8/SAE-J1850. */
export function crc8SAEJ1850(): CRC {
  return kind(2, 8, 0x1d, 0xff, 0xff, false);
}

/** CRC-8/SMBUS. */
export function crc8SMBus(): CRC {
  return kind(3, 8, 0x07, 0, 0, false);
}

/** CRC-16/ARC, also called IBM. */
export function crc16ARC(): CRC {
  return kind(4, 16, 0x8005, 0, 0, true);
}

/** CRC-16/IBM-3740, which most protocols call CCITT-FALSE. */
export function crc16CCITTFalse(): CRC {
  return kind(5, 16, 0x1021, 0xffff, 0, false);
}

/** CRC-16/DNP. */
export function crc16DNP(): CRC {
  return kind(6, 16, 0x3d65, 0, 0xffff, true);
}

/** CRC-16/EN-13757, of wireless M-Bus. */
export function crc16EN13757(): CRC {
  return kind(7, 16, 0x3d65, 0, 0xffff, false);
}

/** CRC-16/GENIBUS. */
export function crc16Genibus(): CRC {
  return kind(8, 16, 0x1021, 0xffff, 0xffff, false);
}

/** CRC-16/KERMIT. */
export function crc16Kermit(): CRC {
  return kind(9, 16, 0x1021, 0, 0, true);
}

/** CRC-16/MAXIM-DOW. */
export function crc16MaximDow(): CRC {
  return kind(10, 16, 0x8005, 0, 0xffff, true);
}

/** CRC-16/MCRF4XX. */
export function crc16MCRF4XX(): CRC {
  return kind(11, 16, 0x1021, 0xffff, 0, true);
}

/** CRC-16/MODBUS. */
export function crc16Modbus(): CRC {
  return kind(12, 16, 0x8005, 0xffff, 0, true);
}

/** CRC-16/UMTS. */
export function crc16UMTS(): CRC {
  return kind(13, 16, 0x8005, 0, 0, false);
}

/** CRC-16/USB. */
export function crc16USB(): CRC {
  return kind(14, 16, 0x8005, 0xffff, 0xffff, true);
}

/** CRC-16/IBM-SDLC, which most protocols call X25. */
export function crc16X25(): CRC {
  return kind(15, 16, 0x1021, 0xffff, 0xffff, true);
}

/** CRC-16/XMODEM. */
export function crc16XModem(): CRC {
  return kind(16, 16, 0x1021, 0, 0, false);
}

/** CRC-32/BZIP2. */
export function crc32Bzip2(): CRC {
  return kind(17, 32, 0x04c11db7, 0xffffffff, 0xffffffff, false);
}

/** CRC-32/ISCSI, also called CRC-32C. */
export function crc32ISCSI(): CRC {
  return kind(18, 32, 0x1edc6f41, 0xffffffff, 0xffffffff, true);
}

/** CRC-32/ISO-HDLC, of Ethernet and zip. */
export function crc32ISOHDLC(): CRC {
  return kind(19, 32, 0x04c11db7, 0xffffffff, 0xffffffff, true);
}

/** CRC-32/MPEG-2. */
export function crc32MPEG2(): CRC {
  return kind(20, 32, 0x04c11db7, 0xffffffff, 0, false);
}

/** The exclusive or of the bytes, which many protocols call BCC or LRC. */
export function xor(bytes: Uint8Array): u8 {
  let x: u8 = 0;
  for (let i = 0; i < bytes.length; i++) x ^= bytes[i];
  return x;
}

/** The sum of the bytes, modulo 65,536. */
export function sum16(bytes: Uint8Array): u16 {
  let sum: u32 = 0;
  for (let i = 0; i < bytes.length; i++) sum += bytes[i];
  return <u16>sum;
}

/** The sum of the bytes, modulo 256. */
export function sum8(bytes: Uint8Array): u8 {
  return <u8>sum16(bytes);
}

/** The two's complement of sum8, as in Modbus ASCII: bytes and their LRC add up to 0. */
export function lrc(bytes: Uint8Array): u8 {
  return <u8>-(<i32>sum8(bytes));
}
