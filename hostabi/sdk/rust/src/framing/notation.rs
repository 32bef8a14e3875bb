use std::str::Split;

use super::{BadRules, Delimiter, Disguise, Escape, Fixed, Length, Rules, Strip};

/// Parses rules in the notation of hostabi/conformance/framing.md, such as `delimiter 0a 1024 line`: for modules whose
/// operator can choose the framing. [`Framing::new`](super::Framing::new) checks the values.
pub fn parse(notation: &str) -> Result<Rules, BadRules> {
    let mut words = Words(notation.split(' '));
    match words.rules() {
        Some(rules) if words.0.next().is_none() => Ok(rules),
        _ => Err(BadRules("not the notation of a framer: see hostabi/conformance/framing.md".into())),
    }
}

struct Words<'a>(Split<'a, char>);

impl<'a> Words<'a> {
    fn rules(&mut self) -> Option<Rules> {
        Some(match self.0.next()? {
            "delimiter" => Rules::Delimiter(Delimiter { bytes: self.bytes()?, max: self.number()?, strip: self.strip(true)? }),
            "length" => Rules::Length(Length {
                width: self.number()?,
                little_endian: self.choice("big", "little")?,
                offset: self.number()?,
                adjust: self.signed()?,
                max: self.number()?,
                strip: self.strip(false)?,
            }),
            "fixed" => Rules::Fixed(Fixed { size: self.number()? }),
            "escape" => Rules::Escape(Escape {
                start: self.start()?,
                end: self.byte()?,
                escape: self.byte()?,
                max: self.number()?,
                disguise: self.disguise()?,
            }),
            _ => return None,
        })
    }

    fn number(&mut self) -> Option<usize> {
        digits(self.0.next()?)
    }

    fn signed(&mut self) -> Option<i64> {
        let word = self.0.next()?;
        match word.strip_prefix('-') {
            Some(word) => digits(word).map(|n| -(n as i64)),
            None => digits(word).map(|n| n as i64),
        }
    }

    /// Reports whether the word is the second of two.
    fn choice(&mut self, first: &str, second: &str) -> Option<bool> {
        match self.0.next()? {
            word if word == first => Some(false),
            word if word == second => Some(true),
            _ => None,
        }
    }

    fn strip(&mut self, lines: bool) -> Option<Strip> {
        match self.0.next()? {
            "keep" => Some(Strip::Nothing),
            "strip" => Some(Strip::Mark),
            "line" if lines => Some(Strip::Line),
            _ => None,
        }
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        hex(self.0.next()?)
    }

    fn byte(&mut self) -> Option<u8> {
        single(self.0.next()?)
    }

    fn start(&mut self) -> Option<Option<u8>> {
        match self.0.next()? {
            "-" => Some(None),
            word => single(word).map(Some),
        }
    }

    fn disguise(&mut self) -> Option<Disguise> {
        if !self.choice("xor", "map")? {
            return self.byte().map(Disguise::Xor);
        }
        let pair = |word| match *hex(word)? {
            [code, value] => Some((code, value)),
            _ => None,
        };
        self.0.next()?.split(',').map(pair).collect::<Option<_>>().map(Disguise::Map)
    }
}

/// Parses decimal digits of a number below 2^31.
fn digits(word: &str) -> Option<usize> {
    if word.is_empty() || !word.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    word.parse::<u32>().ok().filter(|&n| n < 1 << 31).map(|n| n as usize)
}

fn single(word: &str) -> Option<u8> {
    match *hex(word)? {
        [byte] => Some(byte),
        _ => None,
    }
}

/// Parses lower-case hexadecimal digits, two per byte.
fn hex(word: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    if word.is_empty() || word.len() % 2 == 1 {
        return None;
    }
    word.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}
