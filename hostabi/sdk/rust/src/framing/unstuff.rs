use std::borrow::Cow;

use super::{Escape, FrameError, Step};

/// Splits an escape-stuffed stream.
#[derive(Debug)]
pub struct Unstuffed {
    state: State,
    escaped: bool, // the last byte was escape
    content: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Outside,  // waiting for start
    Inside,   // a frame
    Skipping, // the rest of an abandoned frame
}

impl Unstuffed {
    pub fn new(rules: &Escape) -> Self {
        let state = if rules.start.is_none() { State::Inside } else { State::Outside };
        Unstuffed { state, escaped: false, content: Vec::new() }
    }

    pub fn held(&self) -> usize {
        self.content.len()
    }

    pub fn next<'a>(&mut self, rules: &Escape, b: &'a [u8]) -> Step<'a> {
        let mut used = 0;
        while used < b.len() {
            if self.state == State::Inside && !self.escaped {
                let run = self.plain(rules, &b[used..]);
                let end = used + run.len();
                if self.content.is_empty() && !run.is_empty() && b.get(end) == Some(&rules.end) {
                    self.ended(rules);
                    return (end + 1, Some(Ok(Cow::Borrowed(run))));
                }
                self.content.extend_from_slice(run);
                used = end;
                if used == b.len() {
                    break;
                }
            }
            let outcome = self.step(rules, b[used]);
            used += 1;
            if outcome.is_some() {
                return (used, outcome.map(|frame| frame.map(Cow::Owned)));
            }
        }
        (used, None)
    }

    /// The unescaped bytes at the front of b, as far as the frame has room for them.
    fn plain<'a>(&self, rules: &Escape, b: &'a [u8]) -> &'a [u8] {
        let most = b.len().min(rules.max - self.content.len());
        let n = b[..most].iter().position(|&c| rules.is_flag(c) || c == rules.escape).unwrap_or(most);
        &b[..n]
    }

    fn step(&mut self, rules: &Escape, c: u8) -> Option<Result<Vec<u8>, FrameError>> {
        if c == rules.end && self.state != State::Outside {
            return self.end(rules);
        }
        if rules.is_start(c) {
            let begun = self.state == State::Inside && (self.escaped || !self.content.is_empty());
            self.enter(State::Inside);
            return begun.then_some(Err(FrameError::Broken));
        }
        if self.state != State::Inside {
            return None;
        }
        if self.escaped {
            return match rules.value(c) {
                Some(value) => {
                    self.escaped = false;
                    self.add(rules, value)
                }
                None => self.give_up(FrameError::Broken),
            };
        }
        if c == rules.escape {
            self.escaped = true;
            return None;
        }
        self.add(rules, c)
    }

    /// Returns the frame, or an error if the last byte was escape.
    fn end(&mut self, rules: &Escape) -> Option<Result<Vec<u8>, FrameError>> {
        let outcome = match (self.escaped, self.content.is_empty()) {
            (true, _) => Some(Err(FrameError::Broken)),
            (false, true) => None,
            (false, false) => Some(Ok(std::mem::take(&mut self.content))),
        };
        self.ended(rules);
        outcome
    }

    /// The state after end, which also begins the next frame if it equals start, or if there is no start.
    fn ended(&mut self, rules: &Escape) {
        let next_begins = rules.start.map_or(true, |start| start == rules.end);
        self.enter(if next_begins { State::Inside } else { State::Outside });
    }

    fn add(&mut self, rules: &Escape, c: u8) -> Option<Result<Vec<u8>, FrameError>> {
        if self.content.len() == rules.max {
            return self.give_up(FrameError::TooLong);
        }
        self.content.push(c);
        None
    }

    fn give_up(&mut self, why: FrameError) -> Option<Result<Vec<u8>, FrameError>> {
        self.enter(State::Skipping);
        Some(Err(why))
    }

    fn enter(&mut self, state: State) {
        *self = Unstuffed { state, escaped: false, content: Vec::new() };
    }
}
