use super::{within_size, BadRules, MAX_FRAME};

/// Ends each frame with a byte that its content contains only escaped: as escape and another byte. Empty frames are
/// skipped.
#[derive(Clone, Debug)]
pub struct Escape {
    /// Begins a frame. It may be end. Without it, a frame begins where the last one ended.
    pub start: Option<u8>,
    /// Ends a frame.
    pub end: u8,
    /// Neither start nor end.
    pub escape: u8,
    /// How bytes after escape are written.
    pub disguise: Disguise,
    /// The largest length of a frame without flags and escapes, 1 to [`MAX_FRAME`].
    pub max: usize,
}

/// How a byte is written after an escape.
#[derive(Clone, Debug)]
pub enum Disguise {
    /// Combined with this byte, which is not 0.
    Xor(u8),
    /// As the code of a (code, value) pair, 1 to 8 of them; the values must include start, end and escape.
    Map(Vec<(u8, u8)>),
}

impl Escape {
    pub(super) fn check(&self) -> Result<(), BadRules> {
        if self.is_flag(self.escape) {
            return Err(BadRules("Escape.escape must differ from start and end".into()));
        }
        match &self.disguise {
            Disguise::Xor(0) => return Err(BadRules("Disguise::Xor must not be 0".into())),
            Disguise::Map(pairs) => self.check_pairs(pairs)?,
            Disguise::Xor(_) => {}
        }
        for special in self.specials() {
            match self.code(special) {
                Some(code) if !self.is_flag(code) => {}
                _ => return Err(BadRules("start, end and escape must have codes, which are not start or end".into())),
            }
        }
        within_size("Escape.max", self.max, 1, MAX_FRAME)
    }

    fn check_pairs(&self, pairs: &[(u8, u8)]) -> Result<(), BadRules> {
        within_size("the number of pairs of Disguise::Map", pairs.len(), 1, 8)?;
        for (i, &(code, value)) in pairs.iter().enumerate() {
            if self.is_flag(code) || pairs[..i].iter().any(|&(c, v)| c == code || v == value) {
                return Err(BadRules("codes and values of Disguise::Map must be unique, and no code may be start or end".into()));
            }
        }
        Ok(())
    }

    fn specials(&self) -> impl Iterator<Item = u8> {
        self.start.into_iter().chain([self.end, self.escape])
    }

    pub(super) fn is_start(&self, b: u8) -> bool {
        self.start == Some(b)
    }

    /// Reports whether b is start or end.
    pub(super) fn is_flag(&self, b: u8) -> bool {
        b == self.end || self.is_start(b)
    }

    /// What stands behind escape for b; None where b stands for itself.
    fn code(&self, b: u8) -> Option<u8> {
        match &self.disguise {
            Disguise::Xor(x) => (self.is_flag(b) || b == self.escape).then(|| b ^ x),
            Disguise::Map(pairs) => pairs.iter().find(|&&(_, value)| value == b).map(|&(code, _)| code),
        }
    }

    /// What code stands for behind escape.
    pub(super) fn value(&self, code: u8) -> Option<u8> {
        match &self.disguise {
            Disguise::Xor(x) => Some(code ^ x),
            Disguise::Map(pairs) => pairs.iter().find(|&&(c, _)| c == code).map(|&(_, value)| value),
        }
    }

    /// Appends frame to out as it goes over the wire: start, the content with its escapes, end.
    pub fn stuff(&self, out: &mut Vec<u8>, frame: &[u8]) {
        out.extend(self.start);
        for &b in frame {
            match self.code(b) {
                Some(code) => out.extend([self.escape, code]),
                None => out.push(b),
            }
        }
        out.push(self.end);
    }
}
