use std::borrow::Cow;

use super::{within, within_size, BadRules, FrameError, Gathered, Step, Strip, MAX_FRAME};

/// Stands at the head of each frame: offset bytes, the unsigned number of width bytes, and the rest. The whole frame has
/// offset + width + number + adjust bytes.
#[derive(Clone, Debug, Default)]
pub struct Length {
    /// Of the number, in bytes: 1, 2 or 4.
    pub width: usize,
    /// The order of its bytes; otherwise big-endian.
    pub little_endian: bool,
    /// The number of bytes before the number, 0 to 255.
    pub offset: usize,
    /// Corrects a number that does not count exactly the bytes after it: -width if it includes itself, -(offset +
    /// width) if it counts the whole frame, 2 if it omits a checksum of two bytes. -1024 to 1024.
    pub adjust: i64,
    /// The largest length of the whole frame, from offset + width to [`MAX_FRAME`].
    pub max: usize,
    /// What to remove: nothing, or with [`Strip::Mark`] everything up to the end of the number.
    pub strip: Strip,
}

impl Length {
    pub(super) fn check(&self) -> Result<(), BadRules> {
        if !matches!(self.width, 1 | 2 | 4) {
            return Err(BadRules(format!("Length.width is {}, and must be 1, 2 or 4", self.width)));
        }
        if self.strip == Strip::Line {
            return Err(BadRules("Length.strip must be Nothing or Mark".into()));
        }
        within_size("Length.offset", self.offset, 0, 255)?;
        within("Length.adjust", self.adjust, -1024, 1024)?;
        within_size("Length.max", self.max, self.header(), MAX_FRAME)
    }

    fn header(&self) -> usize {
        self.offset + self.width
    }

    /// The length of the frame with head b.
    fn whole(&self, b: &[u8]) -> i64 {
        let digits = &b[self.offset..self.header()];
        let add = |number: i64, &byte: &u8| number << 8 | i64::from(byte);
        let number = if self.little_endian { digits.iter().rev().fold(0, add) } else { digits.iter().fold(0, add) };
        self.header() as i64 + number + self.adjust
    }

    fn stripped<'a>(&self, frame: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        if self.strip == Strip::Nothing {
            return frame;
        }
        match frame {
            Cow::Borrowed(b) => Cow::Borrowed(&b[self.header()..]),
            Cow::Owned(mut b) => {
                b.drain(..self.header());
                Cow::Owned(b)
            }
        }
    }
}

/// Reads the head of each frame, then waits for the rest.
#[derive(Debug, Default)]
pub struct Measured {
    waiting: Gathered,
    whole: usize, // of the frame whose head was read; 0 before that
    skip: u64,    // remaining bytes of a frame that is too long
    lost: bool,   // after a broken frame: the start of the next one is unknown
}

impl Measured {
    pub fn held(&self) -> usize {
        self.waiting.0.len()
    }

    pub fn next<'a>(&mut self, rules: &Length, b: &'a [u8]) -> Step<'a> {
        if self.lost {
            return (b.len(), None);
        }
        if self.skip > 0 {
            let used = self.skip.min(b.len() as u64);
            self.skip -= used;
            return (used as usize, None);
        }
        if self.whole == 0 {
            return self.head(rules, b);
        }
        let (used, frame) = self.waiting.take(b, self.whole);
        if frame.is_some() {
            self.whole = 0;
        }
        (used, frame.map(|f| Ok(rules.stripped(f))))
    }

    /// Gathers a frame up to its number. If b contains the whole frame, returns it.
    fn head<'a>(&mut self, rules: &Length, b: &'a [u8]) -> Step<'a> {
        let (before, header) = (self.held(), rules.header());
        let (used, head) = self.waiting.take(b, header);
        let head = match head {
            Some(head) => head,
            None => return (used, None),
        };
        let whole = rules.whole(&head);
        if whole < header as i64 {
            self.lost = true;
            return (used, Some(Err(FrameError::Broken)));
        }
        if whole > rules.max as i64 {
            self.skip = (whole - header as i64) as u64;
            return (used, Some(Err(FrameError::TooLong)));
        }
        let whole = whole as usize;
        if whole == header {
            return (used, Some(Ok(rules.stripped(head))));
        }
        if before == 0 && whole <= b.len() {
            return (whole, Some(Ok(rules.stripped(Cow::Borrowed(&b[..whole])))));
        }
        self.waiting = Gathered(head.into_owned());
        self.whole = whole;
        (used, None)
    }
}
