//! As much JSON as the vectors use: objects, arrays, and texts with \u00NN escapes at most.

use std::collections::HashMap;

#[derive(Debug)]
pub enum Json {
    Object(HashMap<String, Json>),
    Array(Vec<Json>),
    Text(String),
}

impl Json {
    pub fn get(&self, name: &str) -> &Json {
        match self {
            Json::Object(fields) => &fields[name],
            other => panic!("{name} of {other:?}"),
        }
    }

    pub fn list(&self) -> &[Json] {
        match self {
            Json::Array(items) => items,
            other => panic!("{other:?} is no list"),
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Json::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }
}

pub fn parse(text: &str) -> Json {
    let mut p = Parser(text.as_bytes());
    let value = p.value();
    p.space();
    assert!(p.0.is_empty(), "more than one value");
    value
}

struct Parser<'a>(&'a [u8]);

impl Parser<'_> {
    fn space(&mut self) {
        let n = self.0.iter().take_while(|b| b.is_ascii_whitespace()).count();
        self.0 = &self.0[n..];
    }

    fn next(&mut self) -> u8 {
        self.space();
        let b = self.0[0];
        self.0 = &self.0[1..];
        b
    }

    fn value(&mut self) -> Json {
        match self.next() {
            b'{' => Json::Object(
                self.items(b'}', |p| {
                    assert_eq!(p.next(), b'"');
                    let name = p.text();
                    assert_eq!(p.next(), b':');
                    (name, p.value())
                })
                .into_iter()
                .collect(),
            ),
            b'[' => Json::Array(self.items(b']', Parser::value)),
            b'"' => Json::Text(self.text()),
            other => panic!("{:?} begins no value of the vectors", char::from(other)),
        }
    }

    fn items<T>(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut all = Vec::new();
        self.space();
        if self.0[0] == end {
            self.next();
            return all;
        }
        loop {
            all.push(item(self));
            match self.next() {
                b',' => {}
                b if b == end => return all,
                other => panic!("{:?} between items", char::from(other)),
            }
        }
    }

    fn text(&mut self) -> String {
        let end = self.0.iter().position(|&b| b == b'"').unwrap();
        let text = std::str::from_utf8(&self.0[..end]).unwrap().to_owned();
        assert!(!text.contains('\\'), "escapes are not read: {text}");
        self.0 = &self.0[end + 1..];
        text
    }
}
