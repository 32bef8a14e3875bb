//! The vectors of hostabi/sdk/vectors, which all SDKs pass.

mod json;

use exproto::checksum::*;
use exproto::civil::Time;
use exproto::frames::{FrameConn, FrameHandler, Frames, LOGIN};
use exproto::framing::{Custom, Delimiter, FrameError, Framer, Framing, Measured, Rules, Strip};
use exproto::packet::{Reader, Writer};
use exproto::testing::Gateway;
use exproto::{gbk, jsontext, Action, ClientInfo, Code, Conn, ConnInfo, Outcome, Protocol};

#[test]
fn vectors_have_the_same_outcomes() {
    let vectors = json::parse(include_str!("../../vectors/vectors.json"));
    for vector in vectors.list() {
        let op = vector.get("op").text();
        assert_eq!(run(op), vector.get("out").text(), "{op}");
    }
    assert!(vectors.list().len() > 400);
}

fn run(op: &str) -> String {
    let words: Vec<&str> = op.split(' ').collect();
    match words[0] {
        "crc" => crc(words[1], &[unhex(words[2])]),
        "crc2" => crc(words[1], &[unhex(words[2]), unhex(words[3])]),
        "read" => read(&unhex(words[1]), &words[2..]),
        "write" => write(words[1].parse().unwrap(), &words[2..]),
        "civil" => {
            let offset = words[2].parse().unwrap();
            let time = Time::from_unix(words[1].parse().unwrap(), offset);
            time.map_or("invalid".into(), |t| t.text(offset))
        }
        "unix" => unix(&words[1..]),
        "bcdtime" => match Time::from_bcd(&unhex(words[1])) {
            Some(t) => format!("{} {}", t.text(0), digits(&t.bcd())),
            None => "invalid".into(),
        },
        "json" => write_json(words[1].parse().unwrap(), &words[2..]),
        "gbk" => digits(gbk::decode(&unhex(words[1])).as_bytes()),
        "togbk" => match gbk::encode(std::str::from_utf8(&unhex(words[1])).unwrap()) {
            Ok(bytes) => format!("{} true", digits(&bytes)),
            Err(bytes) => format!("{} false", digits(&bytes)),
        },
        "ft12" => ft12(words[1]),
        "frames" => frames(words[1]),
        other => panic!("the operation {other}"),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let text = text.trim_start_matches('-');
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn digits(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".into();
    }
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

macro_rules! sum {
    ($crc:expr, $parts:expr) => {{
        let sum = $parts.iter().fold($crc.sum(b""), |sum, part| $crc.update(sum, part));
        assert_eq!($crc.sum(&$parts.concat()), sum);
        format!("{sum:0width$x}", width = 2 * std::mem::size_of_val(&sum))
    }};
}

fn crc(name: &str, parts: &[Vec<u8>]) -> String {
    match name {
        "crc8_maxim_dow" => sum!(CRC8_MAXIM_DOW, parts),
        "crc8_rohc" => sum!(CRC8_ROHC, parts),
        "crc8_sae_j1850" => sum!(CRC8_SAE_J1850, parts),
        "crc8_smbus" => sum!(CRC8_SMBUS, parts),
        "crc16_arc" => sum!(CRC16_ARC, parts),
        "crc16_ccitt_false" => sum!(CRC16_CCITT_FALSE, parts),
        "crc16_dnp" => sum!(CRC16_DNP, parts),
        "crc16_en13757" => sum!(CRC16_EN13757, parts),
        "crc16_genibus" => sum!(CRC16_GENIBUS, parts),
        "crc16_kermit" => sum!(CRC16_KERMIT, parts),
        "crc16_maxim_dow" => sum!(CRC16_MAXIM_DOW, parts),
        "crc16_mcrf4xx" => sum!(CRC16_MCRF4XX, parts),
        "crc16_modbus" => sum!(CRC16_MODBUS, parts),
        "crc16_umts" => sum!(CRC16_UMTS, parts),
        "crc16_usb" => sum!(CRC16_USB, parts),
        "crc16_x25" => sum!(CRC16_X25, parts),
        "crc16_xmodem" => sum!(CRC16_XMODEM, parts),
        "crc32_bzip2" => sum!(CRC32_BZIP2, parts),
        "crc32_iscsi" => sum!(CRC32_ISCSI, parts),
        "crc32_iso_hdlc" => sum!(CRC32_ISO_HDLC, parts),
        "crc32_mpeg2" => sum!(CRC32_MPEG2, parts),
        "lrc" => format!("{:02x}", lrc(&parts[0])),
        "sum8" => format!("{:02x}", sum8(&parts[0])),
        "sum16" => format!("{:04x}", sum16(&parts[0])),
        "xor" => format!("{:02x}", xor(&parts[0])),
        other => panic!("the checksum {other}"),
    }
}

fn read(bytes: &[u8], fields: &[&str]) -> String {
    let mut r = Reader::new(bytes);
    let mut out = Vec::new();
    for field in fields {
        let (name, n) = field.split_once(':').unwrap_or((field, "0"));
        out.extend(read_field(&mut r, name, n.parse().unwrap()));
    }
    out.push(if r.done() { "done" } else { ["bad", "ok"][usize::from(r.ok())] }.into());
    out.push(r.left().to_string());
    out.join(" ")
}

fn read_field(r: &mut Reader, name: &str, n: usize) -> Option<String> {
    Some(match name {
        "u8" => r.u8().to_string(),
        "u16" => r.u16().to_string(),
        "u16le" => r.u16_le().to_string(),
        "u24" => r.u24().to_string(),
        "u24le" => r.u24_le().to_string(),
        "u32" => r.u32().to_string(),
        "u32le" => r.u32_le().to_string(),
        "u64" => r.u64().to_string(),
        "u64le" => r.u64_le().to_string(),
        "i8" => r.i8().to_string(),
        "i16" => r.i16().to_string(),
        "i16le" => r.i16_le().to_string(),
        "i32" => r.i32().to_string(),
        "i32le" => r.i32_le().to_string(),
        "i64" => r.i64().to_string(),
        "i64le" => r.i64_le().to_string(),
        "f32" => format!("{:x}", r.f32().to_bits()),
        "f32le" => format!("{:x}", r.f32_le().to_bits()),
        "f64" => format!("{:x}", r.f64().to_bits()),
        "f64le" => format!("{:x}", r.f64_le().to_bits()),
        "bcd" => r.bcd(n).to_string(),
        "bcdle" => r.bcd_le(n).to_string(),
        "bits" => r.bits(n as u32).to_string(),
        "bytes" => digits(r.bytes(n)),
        "rest" => digits(r.rest()),
        "skip" => {
            r.skip(n);
            return None;
        }
        "fail" => {
            r.fail();
            return None;
        }
        other => panic!("the field {other}"),
    })
}

fn write(max: usize, fields: &[&str]) -> String {
    let mut w = Writer::new(max);
    w.u8(1);
    w.reset(); // after an earlier frame
    for field in fields {
        let (field, value) = field.split_once('=').unwrap();
        let (name, n) = field.split_once(':').unwrap_or((field, "0"));
        write_field(&mut w, name, n.parse().unwrap(), value);
    }
    format!("{} {}", digits(w.written()), ["full", "ok"][usize::from(w.ok())])
}

fn write_field(w: &mut Writer, name: &str, n: usize, value: &str) {
    let number = || value.parse::<u64>().unwrap();
    let bits = || u64::from_str_radix(value, 16).unwrap();
    match name {
        "u8" => w.u8(number() as u8),
        "u16" => w.u16(number() as u16),
        "u16le" => w.u16_le(number() as u16),
        "u24" => w.u24(number() as u32),
        "u24le" => w.u24_le(number() as u32),
        "u32" => w.u32(number() as u32),
        "u32le" => w.u32_le(number() as u32),
        "u64" => w.u64(number()),
        "u64le" => w.u64_le(number()),
        "f32" => w.f32(f32::from_bits(bits() as u32)),
        "f32le" => w.f32_le(f32::from_bits(bits() as u32)),
        "f64" => w.f64(f64::from_bits(bits())),
        "f64le" => w.f64_le(f64::from_bits(bits())),
        "bcd" => w.bcd(number(), n),
        "bcdle" => w.bcd_le(number(), n),
        "bytes" => w.bytes(&unhex(value)),
        "text" => w.text(std::str::from_utf8(&unhex(value)).unwrap()),
        other => panic!("the field {other}"),
    }
}

fn unix(words: &[&str]) -> String {
    let v: Vec<i32> = words.iter().map(|word| word.parse().unwrap()).collect();
    let t = Time { year: v[0], month: v[1], day: v[2], hour: v[3], minute: v[4], second: v[5] };
    t.unix(v[6]).map_or("invalid".into(), |seconds| seconds.to_string())
}

fn write_json(max: usize, calls: &[&str]) -> String {
    let mut w = jsontext::Writer::new(max);
    w.object();
    w.reset(); // after an earlier text
    for call in calls {
        let words: Vec<&str> = call.split(':').collect();
        let decimals = || words[2].parse::<i32>().unwrap() as u32;
        match words[0] {
            "{" => w.object(),
            "}" => w.end_object(),
            "[" => w.array(),
            "]" => w.end_array(),
            "k" => w.key(std::str::from_utf8(&unhex(words[1])).unwrap()),
            "t" => w.text_bytes(&unhex(words[1])),
            "i" => w.int(words[1].parse().unwrap()),
            "u" => w.uint(words[1].parse().unwrap()),
            "d" => w.decimal(words[1].parse().unwrap(), decimals()),
            "f" => w.float(f64::from_bits(u64::from_str_radix(words[1], 16).unwrap()), decimals()),
            "b" => w.bool(words[1] == "1"),
            "n" => w.null(),
            other => panic!("the call {other}"),
        }
    }
    w.written().map_or("bad".into(), digits)
}

fn measure_ft12(b: &[u8]) -> Measured {
    match *b {
        [0xe5, ..] => Measured::Frame(1),
        [0x10, ..] => Measured::Frame(5),
        [0x68, n, again, 0x68, ..] if n == again => Measured::Frame(usize::from(n) + 6),
        [0x68] | [0x68, _] | [0x68, _, _] => Measured::More,
        _ => Measured::Broken,
    }
}

fn outcomes(framer: &mut Framer, pieces: &[&[u8]]) -> Vec<String> {
    let mut all = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while let Some(frame) = framer.next(&mut rest) {
            all.push(match frame {
                Ok(frame) => digits(frame),
                Err(FrameError::TooLong) => "too_long".into(),
                Err(FrameError::Broken) => "broken".into(),
            });
        }
        assert!(rest.is_empty(), "bytes were left");
    }
    all
}

fn ft12(pieces: &str) -> String {
    let pieces: Vec<Vec<u8>> = pieces.split(',').map(unhex).collect();
    let mut framer = Framing::new(Rules::Custom(Custom { measure: measure_ft12, max: 32 })).unwrap().framer();
    let mut all = outcomes(&mut framer, &pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
    all.push(format!("held={}", framer.held()));
    all.join(" ")
}

/// The protocol of the operation frames: a line is a command, or echoed.
struct Lines(Framing);

struct Device(FrameConn<Device>);

impl Protocol for Lines {
    type Handler = Frames<Device>;

    fn start(_: &[u8]) -> Result<Self, String> {
        let lines = Delimiter { bytes: b"\n".to_vec(), max: 16, strip: Strip::Line };
        Framing::new(Rules::Delimiter(lines)).map(Lines).map_err(|e| e.to_string())
    }

    fn handler(&mut self, conn: Conn) -> Frames<Device> {
        Frames::new(conn, &self.0, Device)
    }
}

impl Device {
    fn called(&mut self, outcome: Outcome) -> Action {
        let _ = self.0.send(format!("called {}/", outcome.code.0).as_bytes());
        if outcome.is_ok() {
            self.0.resume();
        }
        Action::Continue
    }
}

impl FrameHandler for Device {
    fn on_frame(&mut self, line: &[u8]) -> Action {
        match line {
            b"login" => return self.0.log_in(&ClientInfo { clientid: "c", ..ClientInfo::default() }, b""),
            b"wait" => return Action::Pause,
            b"resume" => self.0.resume(),
            b"bye" => return Action::Close,
            b"end" => self.0.close("asked").unwrap(),
            b"call" => self.0.call(Device::called, |conn, token| conn.publish(token, "t", 1, b"")).unwrap(),
            line => self.0.send(&[line, b"/"].concat()).unwrap(),
        }
        Action::Continue
    }

    fn on_frame_error(&mut self, _: FrameError) -> Action {
        self.0.send(b"too long/").unwrap();
        Action::Continue
    }

    fn on_login(&mut self, outcome: Outcome) -> Action {
        self.0.send(format!("login {}/", outcome.code.0).as_bytes()).unwrap();
        match outcome.code {
            Code::SUCCESS | Code::UNSUPPORTED => Action::Continue,
            Code::LIMIT => Action::Pause,
            _ => Action::Close,
        }
    }

    fn on_alarm(&mut self, _: u32) -> Action {
        self.0.resume();
        Action::Continue
    }
}

fn frames(steps: &str) -> String {
    let mut gateway = Gateway::<Lines>::start(b"").unwrap();
    gateway.created(1, &ConnInfo::default());
    let (mut all, mut waiting) = (Vec::new(), Vec::new());
    for step in steps.split(',') {
        let (name, arg) = step.split_once(':').unwrap_or((step, ""));
        let action = match name {
            "bytes" => {
                let (hex, times) = arg.split_once('*').unwrap_or((arg, "1"));
                gateway.bytes(1, &unhex(hex).repeat(times.parse().unwrap()))
            }
            "answer" => gateway.result(1, waiting.remove(0), Code(arg.parse().unwrap()), ""),
            "alarm" => gateway.alarm(1, 1),
            _ => {
                gateway.refuse("authenticate", Code(arg.parse().unwrap()));
                continue;
            }
        };
        let calls = gateway.calls();
        for call in calls.lines() {
            let token = call.split(" token=").nth(1).map(|rest| rest.split(' ').next().unwrap().parse().unwrap());
            waiting.extend(token.filter(|&token: &i64| token >= LOGIN));
        }
        let names: Vec<&str> = calls.lines().map(|call| call.split(' ').next().unwrap()).collect();
        let sent = String::from_utf8(gateway.sent(1)).unwrap();
        let action = ["continue", "pause", "close"][action as usize];
        all.push(format!("{action}:{sent}:{}", names.join("+")));
    }
    all.join(";")
}

/// Pseudo-random bytes, the same in every run.
fn noise(seed: &mut u64) -> u8 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as u8
}

#[test]
fn noise_is_cut_alike_by_a_function() {
    let framing = Framing::new(Rules::Custom(Custom { measure: measure_ft12, max: 9 })).unwrap();
    let mut seed = 1;
    for _ in 0..20_000 {
        let choice = [0xe5, 0x10, 0x68, 0x68, 0x68, 3, 3, 4];
        let bytes: Vec<u8> = (0..24).map(|_| choice[usize::from(noise(&mut seed) % 8)]).collect();
        let want = outcomes(&mut framing.framer(), &[&bytes]);
        let mut single = framing.framer();
        assert_eq!(outcomes(&mut single, &bytes.chunks(1).collect::<Vec<_>>()), want, "{bytes:x?}");
        assert!(single.held() <= 9);
        let at = usize::from(noise(&mut seed)) % bytes.len();
        assert_eq!(outcomes(&mut framing.framer(), &[&bytes[..at], &bytes[at..]]), want, "{bytes:x?} at {at}");
    }
}

#[test]
fn readers_stay_inside_of_any_frame() {
    let fields = "u8 u16 u16le u24 u24le u32 u32le u64 u64le f32 f64le bcd bcdle bits bytes skip rest";
    let fields: Vec<&str> = fields.split(' ').collect();
    let mut seed = 2;
    for _ in 0..20_000 {
        let frame: Vec<u8> = (0..noise(&mut seed) % 20).map(|_| noise(&mut seed)).collect();
        let mut r = Reader::new(&frame);
        for _ in 0..8 {
            let left = r.left();
            let field = fields[usize::from(noise(&mut seed)) % fields.len()];
            read_field(&mut r, field, usize::from(noise(&mut seed) % 40));
            assert!(r.left() <= left);
        }
    }
}

#[test]
fn days_are_converted_back() {
    for day in (-719_162_i64..=2_932_896).step_by(3) {
        let t = Time::from_unix(day * 86_400, 0).unwrap();
        assert!(t.valid());
        assert_eq!(t.unix(0), Some(day * 86_400));
    }
}

#[test]
fn texts_are_valid_whatever_the_bytes() {
    let mut seed = 3;
    let mut w = jsontext::Writer::new(100);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..noise(&mut seed) % 30).map(|_| noise(&mut seed)).collect();
        w.reset();
        w.text_bytes(&bytes);
        let written = w.written().map(|text| std::str::from_utf8(text).unwrap().to_owned());
        assert_eq!(written.is_some(), w.ok());
        let text = gbk::decode(&bytes);
        if let Ok(back) = gbk::encode(&text) {
            assert_eq!(gbk::decode(&back), text);
        }
    }
}
