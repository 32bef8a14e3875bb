//! The part of protobuf that the messages of `exproto_v1` use.

use std::borrow::Cow;

/// The bytes are not a protobuf message.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// One field of a message: either a number in value, or bytes.
#[derive(Default)]
pub struct Field<'a> {
    pub number: u64,
    pub value: u64,
    pub bytes: &'a [u8],
}

/// The fields of a message, up to the first error.
pub fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or(Malformed))
    }
}

const HIGHEST_NUMBER: u64 = (1 << 29) - 1;

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<Field<'a>> {
        let tag = self.varint()?;
        let mut field = Field { number: tag >> 3, ..Field::default() };
        if field.number == 0 || field.number > HIGHEST_NUMBER {
            return None;
        }
        match tag & 7 {
            0 => field.value = self.varint()?,
            1 => field.value = little_endian(self.take(8)?),
            2 => {
                let length = self.varint()?;
                field.bytes = self.take(usize::try_from(length).ok()?)?;
            }
            5 => field.value = little_endian(self.take(4)?),
            _ => return None,
        }
        Some(field)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for (i, &b) in self.rest.iter().enumerate().take(10) {
            if i == 9 && b > 1 {
                return None;
            }
            value |= u64::from(b & 0x7f) << (7 * i);
            if b < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        if n > self.rest.len() {
            return None;
        }
        let (taken, rest) = self.rest.split_at(n);
        self.rest = rest;
        Some(taken)
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &b| value << 8 | u64::from(b))
}

/// Converts a uint32 or enum field: protobuf takes the lower half of the number.
pub fn low(value: u64) -> u32 {
    value as u32
}

/// Text from the gateway. Invalid UTF-8 is replaced.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Appends a number field, unless it is 0.
pub fn put_number(message: &mut Vec<u8>, field: u8, mut value: u64) {
    if value == 0 {
        return;
    }
    message.push(field << 3);
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// Appends a text or bytes field, unless it is empty.
pub fn put(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    message.push(number << 3 | 2);
    let mut n = bytes.len();
    while n >= 0x80 {
        message.push(n as u8 | 0x80);
        n >>= 7;
    }
    message.push(n as u8);
    message.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8]) -> Option<Vec<(u64, u64, Vec<u8>)>> {
        fields(message).map(|f| f.ok().map(|f| (f.number, f.value, f.bytes.to_vec()))).collect()
    }

    #[test]
    fn every_kind_of_field() {
        let message = b"\x08\x96\x01\x12\x02hi\x19\x01\0\0\0\0\0\0\x80\x25\x02\0\0\0";
        let want = vec![(1, 150, vec![]), (2, 0, b"hi".to_vec()), (3, 1 | 1 << 63, vec![]), (4, 2, vec![])];
        assert_eq!(read(message), Some(want));
    }

    #[test]
    fn what_is_no_message() {
        for wrong in [
            &b"\x08"[..],
            b"\x00\x01",
            b"\x0b",
            b"\x0e",
            b"\x12\x02h",
            b"\x19\x01",
            b"\x25\0",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn every_beginning_and_every_changed_byte_is_read_or_refused() {
        let mut message = Vec::new();
        put(&mut message, 1, b"node");
        put(&mut message, 2, &[7; 300]);
        for n in 0..message.len() {
            fields(&message[..n]).for_each(drop);
            for b in 0..=255 {
                let mut changed = message.clone();
                changed[n] = b;
                fields(&changed).for_each(drop);
            }
        }
    }
}
