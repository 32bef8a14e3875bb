use std::borrow::Cow;

use crate::wire::{fields, low, put, put_number, text, Malformed};
use crate::{Code, Conn, Message};

/// A named value of a connection or of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Property<'a> {
    /// The name.
    pub name: Cow<'a, str>,
    /// The value.
    pub value: Cow<'a, str>,
}

impl<'a> Property<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut property = Property::default();
        for field in fields(body) {
            let field = field?;
            match field.number {
                1 => property.name = text(field.bytes),
                2 => property.value = text(field.bytes),
                _ => {}
            }
        }
        Ok(property)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut pair = Vec::new();
        put(&mut pair, 1, self.name.as_bytes());
        put(&mut pair, 2, self.value.as_bytes());
        pair
    }
}

/// What a message carries beside its topic, QoS and payload, as in MQTT 5. Each is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    /// Asks the broker to keep the message for later subscribers. Of a received message it says that the broker had
    /// kept it.
    pub retain: bool,
    /// Seconds until the message expires; 0: it does not.
    pub expiry: u32,
    /// The content type.
    pub content_type: Cow<'a, str>,
    /// Where an answer is expected.
    pub response_topic: Cow<'a, str>,
    /// What an answer repeats.
    pub correlation: Cow<'a, [u8]>,
    /// At most 64.
    pub user: Vec<Property<'a>>,
}

impl<'a> Properties<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut p = Properties::default();
        for field in fields(body) {
            let field = field?;
            match field.number {
                1 => p.retain = field.value != 0,
                2 => p.expiry = low(field.value),
                3 => p.content_type = text(field.bytes),
                4 => p.response_topic = text(field.bytes),
                5 => p.correlation = Cow::Borrowed(field.bytes),
                6 => p.user.push(Property::parse(field.bytes)?),
                _ => {}
            }
        }
        Ok(p)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(64);
        put_number(&mut message, 1, u64::from(self.retain));
        put_number(&mut message, 2, u64::from(self.expiry));
        put(&mut message, 3, self.content_type.as_bytes());
        put(&mut message, 4, self.response_topic.as_bytes());
        put(&mut message, 5, &self.correlation);
        for user in &self.user {
            let pair = user.encode();
            if pair.is_empty() {
                message.extend([6 << 3 | 2, 0]);
            }
            put(&mut message, 6, &pair);
        }
        message
    }
}

/// What a message's sender needs to match an answer to it. It outlives the event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    topic: String,
    correlation: Vec<u8>,
}

impl Request {
    /// The request that a message is, or None if it expects no answer.
    pub fn of(m: &Message) -> Option<Request> {
        if m.properties.response_topic.is_empty() {
            return None;
        }
        Some(Request { topic: m.properties.response_topic.to_string(), correlation: m.properties.correlation.to_vec() })
    }

    /// Publishes the answer, with the request's correlation data. See [`Conn::publish_with`].
    pub fn answer(&self, conn: Conn, token: i64, qos: u32, payload: &[u8]) -> Result<(), Code> {
        let props = Properties { correlation: Cow::Borrowed(&self.correlation), ..Properties::default() };
        conn.publish_with(token, &self.topic, qos, payload, &props)
    }
}
