//! Splits a stream into frames, however the network has cut it: by delimiter, by length, of a fixed size,
//! escape-stuffed, or measured by a function.
//!
//! hostabi/conformance/framing.md defines the kinds byte by byte. Check the rules once, when the module starts,
//! and give each connection its own [`Framer`]:
//!
//! ```
//! use exproto::framing::{Delimiter, Framing, Rules, Strip};
//!
//! let lines = Framing::new(Rules::Delimiter(Delimiter { bytes: b"\n".to_vec(), max: 1024, strip: Strip::Line
//! })).unwrap(); let mut framer = lines.framer(); let mut found = Vec::new(); for piece in ["hel", "lo\r\nwor", "ld\n"]
//! {
//!     let mut piece = piece.as_bytes();
//!     while let Some(frame) = framer.next(&mut piece) {
//!         found.push(frame.unwrap().to_vec());
//!     }
//! }
//! assert_eq!(found, [b"hello", b"world"]);
//! ```

mod custom;
mod delimiter;
mod escape;
mod fixed;
mod length;
mod notation;
mod unstuff;

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

pub use custom::{Custom, Measured};
pub use delimiter::Delimiter;
pub use escape::{Disguise, Escape};
pub use fixed::Fixed;
pub use length::Length;
pub use notation::parse;

/// The largest value of max and size in the rules, in bytes.
pub const MAX_FRAME: usize = 1 << 20;

/// An error instead of a frame. The framer continues after it; a protocol may close the connection instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The frame is too long.
    TooLong,
    /// The bytes are not a frame.
    Broken,
}

/// Why rules are invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRules(pub String);

impl fmt::Display for BadRules {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "framing: {}", self.0)
    }
}

impl std::error::Error for BadRules {}

/// What a framer removes from a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strip {
    /// Keep the delimiter or the length in the frame.
    #[default]
    Nothing,
    /// Remove the delimiter, or everything up to the end of the length.
    Mark,
    /// For [`Delimiter`]: also remove one `\r` before it.
    Line,
}

/// How a stream is split into frames.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Rules {
    Delimiter(Delimiter),
    Length(Length),
    Fixed(Fixed),
    Escape(Escape),
    Custom(Custom),
}

impl Rules {
    /// The largest length of a frame, in bytes.
    pub fn max(&self) -> usize {
        match self {
            Rules::Delimiter(d) => d.max,
            Rules::Length(l) => l.max,
            Rules::Fixed(f) => f.size,
            Rules::Escape(e) => e.max,
            Rules::Custom(c) => c.max,
        }
    }
}

/// Creates the framers of one protocol.
#[derive(Clone, Debug)]
pub struct Framing(Rc<Rules>);

impl Framing {
    /// Checks rules. The error names the field to change.
    pub fn new(rules: Rules) -> Result<Self, BadRules> {
        match &rules {
            Rules::Delimiter(d) => d.check(),
            Rules::Length(l) => l.check(),
            Rules::Fixed(f) => f.check(),
            Rules::Escape(e) => e.check(),
            Rules::Custom(c) => c.check(),
        }?;
        Ok(Framing(Rc::new(rules)))
    }

    /// Returns a framer for a new connection.
    pub fn framer(&self) -> Framer {
        Framer { rules: Rc::clone(&self.0), state: State::new(&self.0), given: Vec::new() }
    }
}

/// Splits the stream of one connection. Between frames it holds no buffer.
#[derive(Debug)]
pub struct Framer {
    rules: Rc<Rules>,
    state: State,
    given: Vec<u8>, // the last frame, if it came in pieces
}

#[derive(Debug)]
enum State {
    Delimiter(delimiter::Delimited),
    Length(length::Measured),
    Fixed(Gathered),
    Escape(unstuff::Unstuffed),
    Custom(custom::Customary),
}

impl State {
    fn new(rules: &Rules) -> State {
        match rules {
            Rules::Delimiter(_) => State::Delimiter(Default::default()),
            Rules::Length(_) => State::Length(Default::default()),
            Rules::Fixed(_) => State::Fixed(Default::default()),
            Rules::Escape(e) => State::Escape(unstuff::Unstuffed::new(e)),
            Rules::Custom(_) => State::Custom(Default::default()),
        }
    }
}

/// One step: the number of consumed bytes, and their outcome.
type Step<'a> = (usize, Option<Result<Cow<'a, [u8]>, FrameError>>);

impl Framer {
    /// The next frame that ends in piece, or its error; None if there is none. Removes the consumed bytes from the
    /// front of piece; the rest stays there, for later or for another framer.
    pub fn next<'a, 'p: 'a>(&'a mut self, piece: &mut &'p [u8]) -> Option<Result<&'a [u8], FrameError>> {
        self.given = Vec::new();
        while !piece.is_empty() {
            let (used, outcome) = match (&*self.rules, &mut self.state) {
                (Rules::Delimiter(rules), State::Delimiter(state)) => state.next(rules, piece),
                (Rules::Length(rules), State::Length(state)) => state.next(rules, piece),
                (Rules::Fixed(rules), State::Fixed(state)) => state.next(rules, piece),
                (Rules::Escape(rules), State::Escape(state)) => state.next(rules, piece),
                (Rules::Custom(rules), State::Custom(state)) => state.next(rules, piece),
                _ => unreachable!("the state is that of the rules"),
            };
            *piece = &piece[used..];
            match outcome {
                None => {}
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(Cow::Borrowed(frame))) => return Some(Ok(frame)),
                Some(Ok(Cow::Owned(frame))) => {
                    self.given = frame;
                    return Some(Ok(&self.given));
                }
            }
        }
        None
    }

    /// The number of buffered bytes of an unfinished frame.
    pub fn held(&self) -> usize {
        match &self.state {
            State::Delimiter(state) => state.held(),
            State::Length(state) => state.held(),
            State::Fixed(state) => state.0.len(),
            State::Escape(state) => state.held(),
            State::Custom(state) => state.held(),
        }
    }

    /// Drops them and starts as for a new connection.
    pub fn reset(&mut self) {
        self.state = State::new(&self.rules);
    }
}

/// Buffers a run of bytes of known length. It grows with the received bytes, not with the announced length.
#[derive(Debug, Default)]
struct Gathered(Vec<u8>);

impl Gathered {
    /// Consumes up to the missing bytes from b, and returns all n once they are complete: as a slice of b if b contains
    /// them all.
    fn take<'a>(&mut self, b: &'a [u8], n: usize) -> (usize, Option<Cow<'a, [u8]>>) {
        let missing = n - self.0.len();
        if self.0.is_empty() && missing <= b.len() {
            return (n, Some(Cow::Borrowed(&b[..n])));
        }
        let used = missing.min(b.len());
        self.0.extend_from_slice(&b[..used]);
        if self.0.len() < n {
            return (used, None);
        }
        (used, Some(Cow::Owned(std::mem::take(&mut self.0))))
    }
}

/// Checks the range of a number.
fn within(field: &str, n: i64, least: i64, most: i64) -> Result<(), BadRules> {
    if n < least || n > most {
        return Err(BadRules(format!("{field} is {n}, and must be from {least} to {most}")));
    }
    Ok(())
}

fn within_size(field: &str, n: usize, least: usize, most: usize) -> Result<(), BadRules> {
    within(field, i64::try_from(n).unwrap_or(i64::MAX), least as i64, most as i64)
}

/// The position of needle in hay.
fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [byte] => hay.iter().position(|b| b == byte),
        _ => hay.windows(needle.len()).position(|window| window == needle),
    }
}
