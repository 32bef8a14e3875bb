//! Reads and writes the fields of frames: numbers of both byte orders, BCD, bits and bytes.
//!
//! A [`Reader`] never reads beyond its frame, and a [`Writer`] never grows beyond its maximum. Both keep a fault until
//! the end, so that a protocol checks once, after the last field:
//!
//! ```
//! use exproto::packet::Reader;
//!
//! let mut r = Reader::new(&[0x02, 0xff, 0x9c]);
//! let (kind, tenths) = (r.u8(), r.i16());
//! assert!(r.done());
//! assert_eq!((kind, tenths), (2, -100));
//! ```

/// Reads the fields of a frame from front to back. A field that does not fit into the rest of the frame is a fault: it
/// and all further fields are 0 or empty, and [`ok`](Self::ok) is false.
#[derive(Clone, Debug, Default)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    bits: u32, // unread bits of last
    last: u8,
    fault: bool,
}

macro_rules! numbers {
    ($($big:ident $little:ident $kind:ty, $what:literal;)*) => {
        $(
            #[doc = concat!("Reads ", $what, ", big-endian.")]
            pub fn $big(&mut self) -> $kind {
                <$kind>::from_be_bytes(self.array())
            }

            #[doc = concat!("Reads ", $what, ", little-endian.")]
            pub fn $little(&mut self) -> $kind {
                <$kind>::from_le_bytes(self.array())
            }
        )*
    };
}

impl<'a> Reader<'a> {
    /// Returns a reader of frame.
    pub fn new(frame: &'a [u8]) -> Self {
        Reader { bytes: frame, ..Reader::default() }
    }

    /// Whether all fields so far were in the frame, and valid.
    pub fn ok(&self) -> bool {
        !self.fault
    }

    /// [`ok`](Self::ok), and no byte is left.
    pub fn done(&self) -> bool {
        !self.fault && self.bytes.is_empty()
    }

    /// The number of unread bytes.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Makes [`ok`](Self::ok) false, for a field whose value is invalid.
    pub fn fail(&mut self) {
        *self = Reader { fault: true, ..Reader::default() };
    }

    /// Reads n bytes. Unread bits of the last byte are skipped, as by every method other than [`bits`](Self::bits).
    pub fn bytes(&mut self, n: usize) -> &'a [u8] {
        self.bits = 0;
        if n > self.bytes.len() {
            self.fail();
            return &[];
        }
        let (bytes, rest) = self.bytes.split_at(n);
        self.bytes = rest;
        bytes
    }

    /// Skips n bytes.
    pub fn skip(&mut self, n: usize) {
        self.bytes(n);
    }

    /// Reads all unread bytes.
    pub fn rest(&mut self) -> &'a [u8] {
        self.bytes(self.bytes.len())
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().unwrap_or([0; N])
    }

    /// Reads an unsigned number of 8 bits.
    pub fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// Reads a signed number of 8 bits.
    pub fn i8(&mut self) -> i8 {
        self.u8() as i8
    }

    numbers! {
        u16 u16_le u16, "an unsigned number of 16 bits";
        u32 u32_le u32, "an unsigned number of 32 bits";
        u64 u64_le u64, "an unsigned number of 64 bits";
        i16 i16_le i16, "a signed number of 16 bits";
        i32 i32_le i32, "a signed number of 32 bits";
        i64 i64_le i64, "a signed number of 64 bits";
        f32 f32_le f32, "an IEEE 754 number of 32 bits";
        f64 f64_le f64, "an IEEE 754 number of 64 bits";
    }

    /// Reads an unsigned number of 24 bits, big-endian.
    pub fn u24(&mut self) -> u32 {
        let [a, b, c] = self.array();
        u32::from_be_bytes([0, a, b, c])
    }

    /// Reads an unsigned number of 24 bits, little-endian.
    pub fn u24_le(&mut self) -> u32 {
        let [a, b, c] = self.array();
        u32::from_le_bytes([a, b, c, 0])
    }

    /// Reads 2n decimal digits from n bytes, at most 9, the most significant first. Another digit than 0 to 9 is a
    /// fault.
    pub fn bcd(&mut self, n: usize) -> u64 {
        let bytes = self.bcd_bytes(n);
        self.digits(bytes.iter())
    }

    /// [`bcd`](Self::bcd) with the bytes in the other order, as on the M-Bus.
    pub fn bcd_le(&mut self, n: usize) -> u64 {
        let bytes = self.bcd_bytes(n);
        self.digits(bytes.iter().rev())
    }

    fn bcd_bytes(&mut self, n: usize) -> &'a [u8] {
        if n > 9 {
            self.fail();
            return &[];
        }
        self.bytes(n)
    }

    fn digits<'b>(&mut self, bytes: impl Iterator<Item = &'b u8>) -> u64 {
        let mut v = 0;
        for &b in bytes {
            if b >> 4 > 9 || b & 15 > 9 {
                self.fail();
                return 0;
            }
            v = v * 100 + u64::from((b >> 4) * 10 + (b & 15));
        }
        v
    }

    /// Reads n bits, at most 32, the most significant of a byte first.
    pub fn bits(&mut self, n: u32) -> u32 {
        if n > 32 || n as usize > (self.bits as usize).saturating_add(self.bytes.len().saturating_mul(8)) {
            self.fail();
            return 0;
        }
        let mut v = 0;
        for _ in 0..n {
            if self.bits == 0 {
                if let [first, rest @ ..] = self.bytes {
                    self.last = *first;
                    self.bytes = rest;
                }
                self.bits = 8;
            }
            self.bits -= 1;
            v = (v << 1) | u32::from((self.last >> self.bits) & 1);
        }
        v
    }
}

/// Writes the fields of a frame. It holds at most max bytes: a field that does not fit is left out as a whole, and
/// [`ok`](Self::ok) is false from then on.
#[derive(Clone, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    max: usize,
    full: bool,
}

macro_rules! writes {
    ($($big:ident $little:ident $kind:ty, $what:literal;)*) => {
        $(
            #[doc = concat!("Writes ", $what, ", big-endian.")]
            pub fn $big(&mut self, v: $kind) {
                self.bytes(&v.to_be_bytes());
            }

            #[doc = concat!("Writes ", $what, ", little-endian.")]
            pub fn $little(&mut self, v: $kind) {
                self.bytes(&v.to_le_bytes());
            }
        )*
    };
}

impl Writer {
    /// Returns a writer of frames of at most max bytes. Use it for one frame after another: [`reset`](Self::reset)
    /// keeps its memory.
    pub fn new(max: usize) -> Self {
        Writer { bytes: Vec::new(), max, full: false }
    }

    /// Starts a new frame.
    pub fn reset(&mut self) {
        self.bytes.clear();
        self.full = false;
    }

    /// Whether all fields fit.
    pub fn ok(&self) -> bool {
        !self.full
    }

    /// The frame.
    pub fn written(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.full = self.full || bytes.len() > self.max - self.bytes.len();
        if !self.full {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Writes the bytes of a text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Writes an unsigned number of 8 bits.
    pub fn u8(&mut self, v: u8) {
        self.bytes(&[v]);
    }

    /// Writes a signed number of 8 bits.
    pub fn i8(&mut self, v: i8) {
        self.u8(v as u8);
    }

    writes! {
        u16 u16_le u16, "an unsigned number of 16 bits";
        u32 u32_le u32, "an unsigned number of 32 bits";
        u64 u64_le u64, "an unsigned number of 64 bits";
        i16 i16_le i16, "a signed number of 16 bits";
        i32 i32_le i32, "a signed number of 32 bits";
        i64 i64_le i64, "a signed number of 64 bits";
        f32 f32_le f32, "an IEEE 754 number of 32 bits";
        f64 f64_le f64, "an IEEE 754 number of 64 bits";
    }

    /// Writes the lower 24 bits of v, big-endian.
    pub fn u24(&mut self, v: u32) {
        self.bytes(&v.to_be_bytes()[1..]);
    }

    /// Writes the lower 24 bits of v, little-endian.
    pub fn u24_le(&mut self, v: u32) {
        self.bytes(&v.to_le_bytes()[..3]);
    }

    /// Writes v as 2n decimal digits in n bytes, at most 9, the most significant first. Higher digits are left out.
    pub fn bcd(&mut self, v: u64, n: usize) {
        self.digits(v, n, true);
    }

    /// [`bcd`](Self::bcd) with the bytes in the other order.
    pub fn bcd_le(&mut self, v: u64, n: usize) {
        self.digits(v, n, false);
    }

    fn digits(&mut self, mut v: u64, n: usize, big: bool) {
        let mut digits = [0; 9];
        if n > digits.len() {
            self.full = true;
            return;
        }
        for digit in &mut digits[..n] {
            *digit = ((v / 10 % 10) << 4 | (v % 10)) as u8;
            v /= 100;
        }
        if big {
            digits[..n].reverse();
        }
        self.bytes(&digits[..n]);
    }
}
