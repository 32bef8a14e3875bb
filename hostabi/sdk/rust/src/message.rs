use std::borrow::Cow;

use crate::wire::{fields, low, text, Malformed};
use crate::Properties;

/// A message from the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// The gateway's name.
    pub node: Cow<'a, str>,
    /// Unique.
    pub id: Cow<'a, str>,
    /// The publisher's QoS.
    pub qos: u32,
    /// The publisher's client id; empty if the broker does not report it.
    pub from: Cow<'a, str>,
    /// Without the device's mountpoint.
    pub topic: Cow<'a, str>,
    /// The published bytes.
    pub payload: &'a [u8],
    /// Milliseconds since 1970.
    pub timestamp: u64,
    /// What else it carries.
    pub properties: Properties<'a>,
}

impl<'a> Message<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut m = Message::default();
        for field in fields(body) {
            let field = field?;
            match field.number {
                1 => m.node = text(field.bytes),
                2 => m.id = text(field.bytes),
                3 => m.qos = low(field.value),
                4 => m.from = text(field.bytes),
                5 => m.topic = text(field.bytes),
                6 => m.payload = field.bytes,
                7 => m.timestamp = field.value,
                8 => m.properties = Properties::parse(field.bytes)?,
                _ => {}
            }
        }
        Ok(m)
    }
}

/// The messages of an event, in order.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    all: std::vec::IntoIter<Message<'a>>,
}

impl<'a> Messages<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut all = Vec::new();
        for field in fields(body) {
            let field = field?;
            if field.number == 2 {
                all.push(Message::parse(field.bytes)?);
            }
        }
        Ok(Messages { all: all.into_iter() })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        self.all.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.all.size_hint()
    }
}

impl ExactSizeIterator for Messages<'_> {}
