use std::borrow::Cow;

use super::{find, within_size, BadRules, FrameError, Step, Strip, MAX_FRAME};

/// Ends each frame. A frame may be empty.
#[derive(Clone, Debug, Default)]
pub struct Delimiter {
    /// The delimiter, 1 to 8 bytes.
    pub bytes: Vec<u8>,
    /// The largest length of a frame without its delimiter, 1 to [`MAX_FRAME`].
    pub max: usize,
    /// What to remove.
    pub strip: Strip,
}

impl Delimiter {
    pub(super) fn check(&self) -> Result<(), BadRules> {
        within_size("the length of Delimiter.bytes", self.bytes.len(), 1, 8)?;
        within_size("Delimiter.max", self.max, 1, MAX_FRAME)
    }

    /// The number of bytes without a delimiter after which a frame is too long.
    fn room(&self) -> usize {
        self.max + self.bytes.len()
    }

    fn stripped(&self, frame: &[u8]) -> usize {
        if self.strip == Strip::Nothing {
            return frame.len();
        }
        let n = frame.len() - self.bytes.len();
        match (self.strip, &frame[..n]) {
            (Strip::Line, [.., b'\r']) => n - 1,
            _ => n,
        }
    }
}

/// Searches for the delimiter. While it skips, kept contains what may be the beginning of the delimiter.
#[derive(Debug, Default)]
pub struct Delimited {
    kept: Vec<u8>,
    skipping: bool,
}

impl Delimited {
    pub fn held(&self) -> usize {
        self.kept.len()
    }

    pub fn next<'a>(&mut self, rules: &Delimiter, b: &'a [u8]) -> Step<'a> {
        if self.skipping {
            return (self.skip(&rules.bytes, b), None);
        }
        if self.kept.is_empty() {
            return self.fresh(rules, b);
        }
        let before = self.kept.len();
        let window = &b[..b.len().min(rules.room() - before)];
        let from = (before + 1).saturating_sub(rules.bytes.len());
        self.kept.extend_from_slice(window);
        match find(&self.kept[from..], &rules.bytes) {
            Some(i) => {
                let end = from + i + rules.bytes.len();
                let mut frame = std::mem::take(&mut self.kept);
                frame.truncate(end);
                frame.truncate(rules.stripped(&frame));
                (end - before, Some(Ok(Cow::Owned(frame))))
            }
            None if self.kept.len() == rules.room() => {
                let all = std::mem::take(&mut self.kept);
                self.give_up(rules, &all);
                (window.len(), Some(Err(FrameError::TooLong)))
            }
            None => (window.len(), None),
        }
    }

    /// next if nothing is kept: a frame that is whole in b is returned as a slice of it.
    fn fresh<'a>(&mut self, rules: &Delimiter, b: &'a [u8]) -> Step<'a> {
        let window = &b[..b.len().min(rules.room())];
        match find(window, &rules.bytes) {
            Some(i) => {
                let end = i + rules.bytes.len();
                let frame = &window[..end];
                (end, Some(Ok(Cow::Borrowed(&frame[..rules.stripped(frame)]))))
            }
            None if window.len() == rules.room() => {
                self.give_up(rules, window);
                (window.len(), Some(Err(FrameError::TooLong)))
            }
            None => {
                self.kept = window.to_vec();
                (window.len(), None)
            }
        }
    }

    fn give_up(&mut self, rules: &Delimiter, all: &[u8]) {
        self.skipping = true;
        self.keep_tail(&rules.bytes, all);
    }

    /// Consumes bytes up to the end of the delimiter.
    fn skip(&mut self, mark: &[u8], b: &[u8]) -> usize {
        let before = self.kept.len();
        let mut seam = std::mem::take(&mut self.kept);
        seam.extend_from_slice(&b[..b.len().min(mark.len() - 1)]);
        let found = find(&seam, mark).map(|i| i + mark.len() - before).or_else(|| find(b, mark).map(|i| i + mark.len()));
        if let Some(used) = found {
            self.skipping = false;
            return used;
        }
        self.keep_tail(mark, if b.len() >= mark.len() - 1 { b } else { &seam });
        b.len()
    }

    /// Keeps the end of b as far as it may be the beginning of a delimiter.
    fn keep_tail(&mut self, mark: &[u8], b: &[u8]) {
        self.kept = b[(b.len() + 1).saturating_sub(mark.len()).min(b.len())..].to_vec();
    }
}
