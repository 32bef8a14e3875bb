use super::{within_size, BadRules, Gathered, Step, MAX_FRAME};

/// All frames have the same length.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    /// Of a frame, in bytes, 1 to [`MAX_FRAME`].
    pub size: usize,
}

impl Fixed {
    pub(super) fn check(&self) -> Result<(), BadRules> {
        within_size("Fixed.size", self.size, 1, MAX_FRAME)
    }
}

impl Gathered {
    pub(super) fn next<'a>(&mut self, rules: &Fixed, b: &'a [u8]) -> Step<'a> {
        let (used, frame) = self.take(b, rules.size);
        (used, frame.map(Ok))
    }
}
