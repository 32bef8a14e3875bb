//! The checksums of device protocols: CRCs of 8, 16 and 32 bits, sums and exclusive ors.
//!
//! The CRCs are named as in the [catalogue] of Greg Cook, which has their parameters and the check value of each: the
//! CRC of the text "123456789".
//!
//! ```
//! assert_eq!(exproto::checksum::CRC16_MODBUS.sum(b"123456789"), 0x4b37);
//! ```
//!
//! [catalogue]: https://reveng.sourceforge.io/crc-catalogue/

macro_rules! crc {
    ($name:ident, $word:ty, $bits:literal, $doc:literal) => {
        #[doc = $doc]
        ///
        /// Use one of the statics of this module, or [`new`](Self::new) for another kind.
        #[derive(Clone, Debug)]
        pub struct $name {
            table: [$word; 256],
            init: $word,
            xorout: $word,
            reflected: bool,
        }

        impl $name {
            /// A kind of CRC. poly has its most significant bit first. reflected says that the least significant bit of
            /// a byte comes first, and that the result is reflected; init must be the same backwards then.
            pub const fn new(poly: $word, init: $word, xorout: $word, reflected: bool) -> Self {
                let poly = if reflected { poly.reverse_bits() } else { poly };
                let mut table = [0; 256];
                let mut i = 0;
                while i < 256 {
                    let mut r = if reflected { i as $word } else { (i as $word) << ($bits - 8) };
                    let mut bit = 0;
                    while bit < 8 {
                        r = match (reflected, r & 1 != 0, r >> ($bits - 1) != 0) {
                            (true, true, _) => (r >> 1) ^ poly,
                            (true, false, _) => r >> 1,
                            (false, _, true) => (r << 1) ^ poly,
                            (false, _, false) => r << 1,
                        };
                        bit += 1;
                    }
                    table[i] = r;
                    i += 1;
                }
                $name { table, init, xorout, reflected }
            }

            /// The CRC of bytes.
            pub fn sum(&self, bytes: &[u8]) -> $word {
                self.update(self.init ^ self.xorout, bytes)
            }

            /// The CRC of everything that sum is the CRC of, followed by bytes.
            pub fn update(&self, sum: $word, bytes: &[u8]) -> $word {
                let mut r = sum ^ self.xorout;
                for &b in bytes {
                    r = if self.reflected {
                        self.table[usize::from(r as u8 ^ b)] ^ (u64::from(r) >> 8) as $word
                    } else {
                        self.table[usize::from((r >> ($bits - 8)) as u8 ^ b)] ^ (u64::from(r) << 8) as $word
                    };
                }
                r ^ self.xorout
            }
        }
    };
}

crc!(Crc8, u8, 8, "Computes one kind of CRC of 8 bits.");
crc!(Crc16, u16, 16, "Computes one kind of CRC of 16 bits.");
crc!(Crc32, u32, 32, "Computes one kind of CRC of 32 bits.");

/// CRC-8/MAXIM-DOW, of 1-Wire.
pub static CRC8_MAXIM_DOW: Crc8 = Crc8::new(0x31, 0, 0, true);
/// CRC-8/ROHC.
pub static CRC8_ROHC: Crc8 = Crc8::new(0x07, 0xff, 0, true);
/// CRC-8/SAE-J1850.
pub static CRC8_SAE_J1850: Crc8 = Crc8::new(0x1d, 0xff, 0xff, false);
/// CRC-8/SMBUS.
pub static CRC8_SMBUS: Crc8 = Crc8::new(0x07, 0, 0, false);

/// CRC-16/ARC, also called IBM.
pub static CRC16_ARC: Crc16 = Crc16::new(0x8005, 0, 0, true);
/// CRC-16/IBM-3740, which most protocols call CCITT-FALSE.
pub static CRC16_CCITT_FALSE: Crc16 = Crc16::new(0x1021, 0xffff, 0, false);
/// CRC-16/DNP.
pub static CRC16_DNP: Crc16 = Crc16::new(0x3d65, 0, 0xffff, true);
/// CRC-16/EN-13757, of wireless M-Bus.
pub static CRC16_EN13757: Crc16 = Crc16::new(0x3d65, 0, 0xffff, false);
/// CRC-16/GENIBUS.
pub static CRC16_GENIBUS: Crc16 = Crc16::new(0x1021, 0xffff, 0xffff, false);
/// CRC-16/KERMIT.
pub static CRC16_KERMIT: Crc16 = Crc16::new(0x1021, 0, 0, true);
/// CRC-16/MAXIM-DOW.
pub static CRC16_MAXIM_DOW: Crc16 = Crc16::new(0x8005, 0, 0xffff, true);
/// CRC-16/MCRF4XX.
pub static CRC16_MCRF4XX: Crc16 = Crc16::new(0x1021, 0xffff, 0, true);
/// CRC-16/MODBUS.
pub static CRC16_MODBUS: Crc16 = Crc16::new(0x8005, 0xffff, 0, true);
/// CRC-16/UMTS.
pub static CRC16_UMTS: Crc16 = Crc16::new(0x8005, 0, 0, false);
/// CRC-16/USB.
pub static CRC16_USB: Crc16 = Crc16::new(0x8005, 0xffff, 0xffff, true);
/// CRC-16/IBM-SDLC, which most protocols call X25.
pub static CRC16_X25: Crc16 = Crc16::new(0x1021, 0xffff, 0xffff, true);
/// CRC-16/XMODEM.
pub static CRC16_XMODEM: Crc16 = Crc16::new(0x1021, 0, 0, false);

/// CRC-32/BZIP2.
pub static CRC32_BZIP2: Crc32 = Crc32::new(0x04c1_1db7, !0, !0, false);
/// CRC-32/ISCSI, also called CRC-32C.
pub static CRC32_ISCSI: Crc32 = Crc32::new(0x1edc_6f41, !0, !0, true);
/// CRC-32/ISO-HDLC, of Ethernet and zip.
pub static CRC32_ISO_HDLC: Crc32 = Crc32::new(0x04c1_1db7, !0, !0, true);
/// CRC-32/MPEG-2.
pub static CRC32_MPEG2: Crc32 = Crc32::new(0x04c1_1db7, !0, 0, false);

/// The exclusive or of the bytes, which many protocols call BCC or LRC.
pub fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |x, b| x ^ b)
}

/// The sum of the bytes, modulo 256.
pub fn sum8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &b| sum.wrapping_add(b))
}

/// The sum of the bytes, modulo 65,536.
pub fn sum16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, &b| sum.wrapping_add(u16::from(b)))
}

/// The two's complement of [`sum8`], as in Modbus ASCII: bytes and their LRC add up to 0.
pub fn lrc(bytes: &[u8]) -> u8 {
    sum8(bytes).wrapping_neg()
}
