/// Splits a line into words. Errors show at the end.
pub struct Words<'a> {
    rest: &'a [u8],
    more: bool, // there is a space before rest
    bad: bool,
}

impl<'a> Words<'a> {
    pub fn new(line: &'a [u8]) -> Self {
        Words { rest: line, more: true, bad: false }
    }

    /// The next word, which is required.
    pub fn word(&mut self) -> &'a [u8] {
        if !self.more {
            self.bad = true;
            return b"";
        }
        let end = self.rest.iter().position(|&b| b == b' ');
        let word = &self.rest[..end.unwrap_or(self.rest.len())];
        self.rest = end.map_or(&[], |end| &self.rest[end + 1..]);
        self.more = end.is_some();
        self.bad |= word.is_empty();
        word
    }

    /// The next word, as text for the gateway.
    pub fn name(&mut self) -> &'a str {
        let word = self.word();
        self.utf8(word)
    }

    /// The next word as a decimal 32-bit number.
    pub fn number(&mut self) -> u32 {
        let word = self.name();
        let digits = word.len() <= 10 && word.bytes().all(|b| b.is_ascii_digit());
        let number = word.parse().ok().filter(|_| digits);
        self.require(number.is_some());
        number.unwrap_or(0)
    }

    /// The rest of the line, which may be empty.
    pub fn rest(&mut self) -> &'a [u8] {
        self.more = false;
        std::mem::take(&mut self.rest)
    }

    /// The rest of the line as text.
    pub fn text(&mut self) -> &'a str {
        let rest = self.rest();
        self.utf8(rest)
    }

    pub fn more(&self) -> bool {
        self.more
    }

    pub fn require(&mut self, condition: bool) {
        self.bad |= !condition;
    }

    /// Reports whether the line was correct, and nothing is left of it.
    pub fn whole(&self) -> bool {
        !self.bad && !self.more
    }

    fn utf8(&mut self, bytes: &'a [u8]) -> &'a str {
        let text = std::str::from_utf8(bytes);
        self.require(text.is_ok());
        text.unwrap_or("")
    }
}
