//! The vectors of hostabi/conformance/framing.json, which all SDKs pass.

mod json;

use exproto::framing::{parse, FrameError, Framer, Framing, Rules};
use json::Json;

fn vectors() -> Json {
    json::parse(include_str!("../../../conformance/framing.json"))
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap()).collect()
}

fn outcomes(framer: &mut Framer, pieces: &[&[u8]]) -> Vec<String> {
    let mut all = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while let Some(frame) = framer.next(&mut rest) {
            all.push(match frame {
                Ok(frame) => frame.iter().map(|b| format!("{b:02x}")).collect(),
                Err(FrameError::TooLong) => "too_long".into(),
                Err(FrameError::Broken) => "broken".into(),
            });
        }
        assert!(rest.is_empty(), "bytes were left");
    }
    all
}

#[test]
fn frames_do_not_depend_on_the_cut() {
    let mut run = 0;
    for f in vectors().get("framers").list() {
        let notation = f.get("framer").text();
        let framing = Framing::new(parse(notation).unwrap()).unwrap();
        for case in f.get("cases").list() {
            let pieces: Vec<Vec<u8>> = case.get("in").list().iter().map(|p| hex(p.text())).collect();
            let want: Vec<&str> = case.get("out").list().iter().map(Json::text).collect();
            let all = pieces.concat();
            let mut cuts: Vec<Vec<&[u8]>> = vec![pieces.iter().map(Vec::as_slice).collect(), all.chunks(1).collect()];
            cuts.extend((0..all.len()).map(|i| vec![&all[..i], &all[i..]]));
            for cut in cuts {
                let mut framer = framing.framer();
                assert_eq!(outcomes(&mut framer, &cut), want, "{notation}: {} cut as {cut:?}", case.get("name").text());
                framer.reset();
                assert_eq!(framer.held(), 0);
                assert_eq!(outcomes(&mut framer, &[&all]), want, "{notation}: {} after a reset", case.get("name").text());
                run += 1;
            }
        }
    }
    assert!(run > 1000, "only {run} runs");
}

#[test]
fn stuffing_is_the_opposite() {
    for s in vectors().get("stuffed").list() {
        let rules = parse(s.get("framer").text()).unwrap();
        let (frame, want) = (hex(s.get("frame").text()), hex(s.get("out").text()));
        let mut out = Vec::new();
        match &rules {
            Rules::Escape(e) => e.stuff(&mut out, &frame),
            other => panic!("{other:?} does not stuff"),
        }
        assert_eq!(out, want);
        if !frame.is_empty() {
            let mut framer = Framing::new(rules).unwrap().framer();
            assert_eq!(framer.next(&mut out.as_slice()), Some(Ok(frame.as_slice())));
        }
    }
}

#[test]
fn wrong_rules_are_refused() {
    for notation in vectors().get("refused").list() {
        let notation = notation.text();
        assert!(parse(notation).and_then(Framing::new).is_err(), "{notation:?} is accepted");
    }
}

/// Pseudo-random bytes, the same in every run.
fn noise(seed: &mut u64) -> u8 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    b"\x00\x01\x02\x03\n\r\x7d\x7e\xc0\xdb\xdc\xdda"[(*seed >> 33) as usize % 13]
}

#[test]
fn noise_is_bounded_and_cut_alike() {
    let mut seed = 1;
    for f in vectors().get("framers").list() {
        let rules = parse(f.get("framer").text()).unwrap();
        let most = rules.max() + 8;
        let framing = Framing::new(rules).unwrap();
        for _ in 0..200 {
            let bytes: Vec<u8> = (0..64).map(|_| noise(&mut seed)).collect();
            let mut single = framing.framer();
            let want = outcomes(&mut framing.framer(), &[&bytes]);
            assert_eq!(outcomes(&mut single, &bytes.chunks(1).collect::<Vec<_>>()), want);
            assert!(single.held() <= most);
        }
    }
}
