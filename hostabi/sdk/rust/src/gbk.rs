//! Converts between UTF-8 and GBK, the encoding of texts from Chinese devices, as Windows does (code page 936).
//!
//! It adds 48 KB to a module that decodes and 16 KB more to one that encodes. Characters for private use are not
//! converted.
//!
//! ```
//! use exproto::gbk;
//!
//! assert_eq!(gbk::decode(b"\xc4\xe3\xba\xc3"), "你好");
//! assert_eq!(gbk::encode("你好").unwrap(), b"\xc4\xe3\xba\xc3");
//! ```

/// The characters of the pairs of bytes and their order, as hostabi/sdk/gbktable writes them.
static TABLE: &[u8] = include_bytes!("gbk.bin");

const WIDTH: usize = 190; // pairs for each first byte
const PAIRS: usize = 126 * WIDTH;

fn at(i: usize) -> usize {
    usize::from(TABLE[2 * i]) | usize::from(TABLE[2 * i + 1]) << 8
}

/// The UTF-8 of GBK text. Bytes that are not GBK become U+FFFD.
pub fn decode(mut text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    while let [first, rest @ ..] = text {
        let (c, n) = match (*first, rest) {
            (0..=0x7f, _) => (char::from(*first), 1),
            (0x80, _) => ('€', 1),
            (0x81..=0xfe, [second @ (0x40..=0x7e | 0x80..=0xfe), ..]) => {
                let column = usize::from(*second) - 0x40 - usize::from(*second > 0x7f);
                let c = at(usize::from(*first - 0x81) * WIDTH + column);
                (char::from_u32(c as u32).filter(|_| c > 0).unwrap_or(char::REPLACEMENT_CHARACTER), 2)
            }
            _ => (char::REPLACEMENT_CHARACTER, 1),
        };
        out.push(c);
        text = &text[n..];
    }
    out
}

/// The GBK of a text. If there are characters that GBK does not have, the error has the text with ? for them.
pub fn encode(text: &str) -> Result<Vec<u8>, Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut all = true;
    for c in text.chars() {
        match (c, find(c)) {
            ('\0'..='\x7f', _) => out.push(c as u8),
            ('€', _) => out.push(0x80),
            (_, Some(i)) => {
                let second = (i % WIDTH + 0x40) as u8;
                out.extend_from_slice(&[(i / WIDTH + 0x81) as u8, second + u8::from(second >= 0x7f)]);
            }
            (_, None) => {
                out.push(b'?');
                all = false;
            }
        }
    }
    if all {
        Ok(out)
    } else {
        Err(out)
    }
}

/// The index of the pair of c.
fn find(c: char) -> Option<usize> {
    let c = c as usize;
    if !(0x80..=0xffff).contains(&c) {
        return None;
    }
    search(c, TABLE.len() / 2 - PAIRS, |i| at(PAIRS + i))
        // Two parts of the table are themselves in order.
        .or_else(|| search(c, 32 * WIDTH, |i| i))
        .or_else(|| search(c, 83 * 96, |i| (41 + i / 96) * WIDTH + i % 96))
}

/// The index of c among n pairs that are in order.
fn search(c: usize, n: usize, pair: impl Fn(usize) -> usize) -> Option<usize> {
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = (low + high) / 2;
        let found = at(pair(middle));
        if found == c {
            return Some(pair(middle));
        }
        if found < c {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    None
}
