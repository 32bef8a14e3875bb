//! Writes JSON without allocating: a [`Writer`] uses its buffer again for each text.
//!
//! ```
//! use exproto::jsontext::Writer;
//!
//! let mut w = Writer::new(200);
//! w.object();
//! w.key("temperature");
//! w.float(21.299999, 2);
//! w.end_object();
//! assert_eq!(w.written(), Some(&br#"{"temperature":21.3}"#[..]));
//! ```

/// How deep objects and arrays may be nested.
pub const MAX_DEPTH: usize = 16;

/// Writes one JSON text, of at most max bytes. A text that does not fit, or is not JSON (a value without its key, an
/// object without its end), is a fault: [`written`](Self::written) is None.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    max: usize,
    fault: bool,
    depth: usize,
    open: [u8; MAX_DEPTH], // the ends of what has begun
    more: bool,            // a comma goes before the next value
    keyed: bool,           // the key of the next value is written
    written: bool,         // the text is complete
}

impl Writer {
    /// Returns a writer of texts of at most max bytes.
    pub fn new(max: usize) -> Self {
        Writer { max, ..Writer::default() }
    }

    /// Starts a new text. The buffer is used again.
    pub fn reset(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        *self = Writer { bytes, max: self.max, ..Writer::default() };
    }

    /// Whether a whole text was written.
    pub fn ok(&self) -> bool {
        !self.fault && self.depth == 0 && self.written
    }

    /// The text, or None if [`ok`](Self::ok) is false.
    pub fn written(&self) -> Option<&[u8]> {
        self.ok().then_some(self.bytes.as_slice())
    }

    fn put(&mut self, bytes: &[u8]) {
        self.fault = self.fault || bytes.len() > self.max - self.bytes.len();
        if !self.fault {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn in_object(&self) -> bool {
        self.depth > 0 && self.open[self.depth - 1] == b'}'
    }

    /// Begins a value, after a comma if one is due.
    fn value(&mut self) {
        self.fault = self.fault || self.in_object() != self.keyed || self.written;
        if self.more && !self.keyed {
            self.put(b",");
        }
        self.more = true;
        self.keyed = false;
        self.written = self.depth == 0;
    }

    fn begin(&mut self, start: u8, end: u8) {
        self.value();
        self.fault = self.fault || self.depth == MAX_DEPTH;
        if self.fault {
            return;
        }
        self.put(&[start]);
        self.open[self.depth] = end;
        self.depth += 1;
        self.more = false;
        self.written = false;
    }

    fn end(&mut self, end: u8) {
        self.fault = self.fault || self.depth == 0 || self.open[self.depth - 1] != end || self.keyed;
        if self.fault {
            return;
        }
        self.depth -= 1;
        self.put(&[end]);
        self.more = true;
        self.written = self.depth == 0;
    }

    /// Begins an object.
    pub fn object(&mut self) {
        self.begin(b'{', b'}');
    }

    /// Ends it.
    pub fn end_object(&mut self) {
        self.end(b'}');
    }

    /// Begins an array.
    pub fn array(&mut self) {
        self.begin(b'[', b']');
    }

    /// Ends it.
    pub fn end_array(&mut self) {
        self.end(b']');
    }

    /// Writes the name of the next value of an object.
    pub fn key(&mut self, name: &str) {
        self.fault = self.fault || !self.in_object() || self.keyed;
        if self.more {
            self.put(b",");
        }
        self.quote(name.as_bytes());
        self.put(b":");
        self.keyed = true;
    }

    /// Writes a string.
    pub fn text(&mut self, text: &str) {
        self.text_bytes(text.as_bytes());
    }

    /// Writes a string. Bytes that are not UTF-8 become U+FFFD.
    pub fn text_bytes(&mut self, bytes: &[u8]) {
        self.value();
        self.quote(bytes);
    }

    fn quote(&mut self, mut bytes: &[u8]) {
        self.put(b"\"");
        while let [first, ..] = *bytes {
            if self.fault {
                return;
            }
            let n = sequence(bytes);
            match first {
                0..=0x7f => self.escaped(first),
                _ if n == 0 => self.put("\u{fffd}".as_bytes()),
                _ => self.put(&bytes[..n]),
            }
            bytes = &bytes[n.max(1)..];
        }
        self.put(b"\"");
    }

    /// Writes a character of ASCII inside of a string.
    fn escaped(&mut self, c: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        match c {
            b'"' | b'\\' => self.put(&[b'\\', c]),
            b'\n' => self.put(b"\\n"),
            b'\r' => self.put(b"\\r"),
            b'\t' => self.put(b"\\t"),
            0..=0x1f => self.put(&[b'\\', b'u', b'0', b'0', HEX[usize::from(c >> 4)], HEX[usize::from(c & 15)]]),
            _ => self.put(&[c]),
        }
    }

    /// Writes a number.
    pub fn int(&mut self, v: i64) {
        self.decimal(v, 0);
    }

    /// Writes a number.
    pub fn uint(&mut self, v: u64) {
        self.value();
        self.digits(v, 0);
    }

    /// Writes v divided by 10 to the power of decimals, 0 to 9, without zeros at the end: decimal(2150, 2) writes 21.5.
    /// It is exact, for protocols whose values are whole tenths or hundredths.
    pub fn decimal(&mut self, v: i64, decimals: u32) {
        self.value();
        if decimals > 9 {
            self.fault = true;
            return;
        }
        if v < 0 {
            self.put(b"-");
        }
        self.digits(v.unsigned_abs(), decimals);
    }

    fn digits(&mut self, mut v: u64, decimals: u32) {
        let mut decimals = decimals as i32;
        while decimals > 0 && v % 10 == 0 {
            v /= 10;
            decimals -= 1;
        }
        let mut room = [0; 32];
        let mut i = room.len();
        while v > 0 || decimals >= 0 {
            i -= 1;
            room[i] = b'0' + (v % 10) as u8;
            v /= 10;
            decimals -= 1;
            if decimals == 0 {
                i -= 1;
                room[i] = b'.';
            }
        }
        self.put(&room[i..]);
    }

    /// Writes v, rounded to at most so many decimals, 0 to 9, and without zeros at the end: float(21.299999, 2) writes
    /// 21.3. Infinity, NaN and values of 9e18 and more are null, because JSON or its readers do not have them.
    pub fn float(&mut self, v: f64, decimals: u32) {
        self.fault = self.fault || decimals > 9;
        if v.is_nan() || v.abs() >= 9e18 {
            self.null();
            return;
        }
        self.value();
        let (mut scale, mut places) = (1.0, 0);
        while places < decimals && v.abs() * scale < (1u64 << 52) as f64 {
            scale *= 10.0;
            places += 1;
        }
        while places > 0 && v.abs() * scale >= (1u64 << 53) as f64 {
            scale /= 10.0;
            places -= 1;
        }
        let scaled = v.abs() * scale;
        let mut whole = scaled as u64;
        if scaled - whole as f64 >= 0.5 {
            whole += 1;
        }
        if v < 0.0 && whole > 0 {
            self.put(b"-");
        }
        self.digits(whole, places);
    }

    /// Writes true or false.
    pub fn bool(&mut self, v: bool) {
        self.value();
        self.put(if v { b"true" } else { b"false" });
    }

    /// Writes null.
    pub fn null(&mut self) {
        self.value();
        self.put(b"null");
    }
}

/// The length of the UTF-8 sequence that bytes begin with, 0 if there is none.
fn sequence(bytes: &[u8]) -> usize {
    match *bytes {
        [0..=0x7f, ..] => 1,
        [0xc2..=0xdf, 0x80..=0xbf, ..] => 2,
        [0xe0, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
        [0xed, 0x80..=0x9f, 0x80..=0xbf, ..] => 3,
        [0xe1..=0xec | 0xee..=0xef, 0x80..=0xbf, 0x80..=0xbf, ..] => 3,
        [0xf0, 0x90..=0xbf, 0x80..=0xbf, 0x80..=0xbf, ..] => 4,
        [0xf4, 0x80..=0x8f, 0x80..=0xbf, 0x80..=0xbf, ..] => 4,
        [0xf1..=0xf3, 0x80..=0xbf, 0x80..=0xbf, 0x80..=0xbf, ..] => 4,
        _ => 0,
    }
}
