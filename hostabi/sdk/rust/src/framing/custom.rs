use std::borrow::Cow;

use super::{within_size, BadRules, FrameError, Step, MAX_FRAME};

/// What a function knows of a frame that begins with given bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// The length of the frame.
    Frame(usize),
    /// The length cannot be known before there are more bytes.
    More,
    /// No frame begins so.
    Broken,
}

/// Frames of any other kind: a function of the protocol measures them.
#[derive(Clone)]
pub struct Custom {
    /// Measures the frame that begins with the given bytes, of which there is at least one. More bytes must not change
    /// a length or a refusal. It is called again with each piece of the stream until it knows the length, so it should
    /// look at the head of a frame only.
    ///
    /// After a refusal, the framer returns [`FrameError::Broken`] once and skips bytes up to one where it is not
    /// refused.
    pub measure: fn(&[u8]) -> Measured,
    /// The largest length of a frame, 1 to [`MAX_FRAME`]. A longer frame is skipped, and so are max bytes whose length
    /// is still not known.
    pub max: usize,
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Custom").field("max", &self.max).finish_non_exhaustive()
    }
}

impl Custom {
    pub(super) fn check(&self) -> Result<(), BadRules> {
        within_size("Custom.max", self.max, 1, MAX_FRAME)
    }
}

/// Splits a stream by a function.
#[derive(Debug, Default)]
pub struct Customary {
    kept: Vec<u8>,
    whole: usize, // the length of the frame in kept, if it is known
    skip: usize,  // remaining bytes of a frame that is too long
    lost: bool,   // after a refusal
}

impl Customary {
    pub fn held(&self) -> usize {
        self.kept.len()
    }

    pub fn next<'a>(&mut self, rules: &Custom, b: &'a [u8]) -> Step<'a> {
        if self.skip > 0 {
            let used = self.skip.min(b.len());
            self.skip -= used;
            return (used, None);
        }
        let before = self.kept.len();
        let window = &b[..b.len().min(rules.max - before)];
        if before > 0 {
            self.kept.extend_from_slice(window);
        }
        let all = before + window.len();
        let measured = match self.whole {
            0 => (rules.measure)(if before > 0 { &self.kept } else { window }),
            n => Measured::Frame(n),
        };
        match measured {
            Measured::Broken => self.refused(rules, window, before),
            Measured::Frame(n) if n > rules.max => {
                *self = Customary { skip: n - before, ..Customary::default() };
                (0, Some(Err(FrameError::TooLong)))
            }
            Measured::Frame(n) if n > 0 && n <= all => {
                self.whole = 0;
                self.lost = false;
                self.frame(window, before, n)
            }
            Measured::Frame(0) | Measured::More if all == rules.max => {
                *self = Customary::default();
                (window.len(), Some(Err(FrameError::TooLong)))
            }
            _ => {
                if let Measured::Frame(n) = measured {
                    self.whole = n;
                }
                if before == 0 {
                    self.kept = window.to_vec();
                }
                (window.len(), None)
            }
        }
    }

    /// Returns the frame of n bytes at the front of what was kept before, and window.
    fn frame<'a>(&mut self, window: &'a [u8], before: usize, n: usize) -> Step<'a> {
        if before == 0 {
            return (n, Some(Ok(Cow::Borrowed(&window[..n]))));
        }
        let mut frame = std::mem::take(&mut self.kept);
        if n < before {
            self.kept = frame[n..before].to_vec();
        }
        frame.truncate(n);
        (n.saturating_sub(before), Some(Ok(Cow::Owned(frame))))
    }

    /// Skips a byte that begins no frame. What was kept behind it is looked at again.
    fn refused<'a>(&mut self, rules: &Custom, window: &'a [u8], before: usize) -> Step<'a> {
        let error = (!self.lost).then_some(Err(FrameError::Broken));
        self.whole = 0;
        self.lost = true;
        let mut n = 1;
        let all = if before > 0 { &self.kept } else { window };
        while n < before && (rules.measure)(&all[n..]) == Measured::Broken {
            n += 1;
        }
        self.kept.truncate(before);
        self.kept.drain(..n.min(before));
        (n.saturating_sub(before), error)
    }
}
