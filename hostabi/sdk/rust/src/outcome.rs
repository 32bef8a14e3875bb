use std::borrow::Cow;

use crate::wire::{fields, low, text, Malformed};

/// The result of a call, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(pub u32);

#[allow(missing_docs)]
impl Code {
    pub const SUCCESS: Code = Code(0);
    pub const UNKNOWN: Code = Code(1);
    /// The connection is closed.
    pub const CONN_PROCESS_NOT_ALIVE: Code = Code(2);
    pub const REQUIRED_PARAMS_MISSED: Code = Code(3);
    pub const PARAMS_TYPE_ERROR: Code = Code(4);
    pub const PERMISSION_DENY: Code = Code(5);
    /// A limit of exgate was reached: try again later.
    pub const LIMIT: Code = Code(16);
    pub const UNSUPPORTED: Code = Code(17);

    /// Converts refusals to errors.
    pub(crate) fn accepted(self) -> Result<(), Code> {
        match self {
            Code::SUCCESS => Ok(()),
            refused => Err(refused),
        }
    }
}

/// The outcome of a call that the broker answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// The code.
    pub code: Code,
    /// For a person; empty on success.
    pub message: Cow<'a, str>,
    /// Of an authenticate that succeeded: what [`Conn::save_state`](crate::Conn::save_state) saved last; empty without any.
    pub state: &'a [u8],
}

impl<'a> Outcome<'a> {
    /// Reports whether the call succeeded.
    pub fn is_ok(&self) -> bool {
        self.code == Code::SUCCESS
    }

    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut outcome = Outcome { code: Code::SUCCESS, message: Cow::Borrowed(""), state: &[] };
        for field in fields(body) {
            let field = field?;
            match field.number {
                1 => outcome.code = Code(low(field.value)),
                2 => outcome.message = text(field.bytes),
                3 => outcome.state = field.bytes,
                _ => {}
            }
        }
        Ok(outcome)
    }
}
