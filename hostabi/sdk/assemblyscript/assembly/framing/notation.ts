import { Delimiter } from "./delimiter";
import { Escape } from "./escape";
import { Fixed } from "./fixed";
import { NOTHING, Rules, Strip } from "./framing";
import { Length } from "./length";

/**
 * Parses rules in the notation of hostabi/conformance/framing.md, such as "delimiter 0a 1024 line": for modules whose operator can choose the framing. Returns null if the
 * notation is wrong; Rules.check checks the values.
 */
export function parseRules(notation: string): Rules | null {
  const words = new Words(notation.split(" "));
  const rules = words.rules();
  return words.bad || words.left ? null : rules;
}

/** Parses words up to the first bad one. */
class Words {
  bad: bool = false;
  private at: i32 = 0;

  constructor(private words: string[]) {}

  get left(): bool {
    return this.at < this.words.length;
  }

  rules(): Rules | null {
    const kind = this.word();
    if (kind == "delimiter") {
      const bytes = this.bytes();
      const most = this.number();
      return new Delimiter(bytes, most, <Strip>this.choice(["keep", "strip", "line"]));
    }
    if (kind == "length") return this.length();
    if (kind == "fixed") return new Fixed(this.number());
    return kind == "escape" ? this.escape() : null;
  }

  private length(): Rules {
    const width = this.number();
    const little = this.choice(["big", "little"]) == 1;
    const offset = this.number();
    const adjust = this.signed();
    const rules = new Length(width, this.number());
    rules.littleEndian = little;
    rules.offset = offset;
    rules.adjust = adjust;
    rules.strip = <Strip>this.choice(["keep", "strip"]);
    return rules;
  }

  private escape(): Rules {
    let start = Escape.NO_START;
    if (this.left && this.words[this.at] == "-") this.word();
    else start = this.byte();
    const end = this.byte();
    const escape = this.byte();
    const rules = new Escape(end, escape, this.number());
    rules.start = start;
    if (this.choice(["xor", "map"]) == 0) {
      rules.xor = this.byte();
      return rules;
    }
    const pairs = this.word().split(",");
    for (let i = 0; i < pairs.length; i++) {
      const pair = this.sized(pairs[i], 2);
      rules.pairs.push(pair[0]);
      rules.pairs.push(pair[1]);
    }
    return rules;
  }

  private word(): string {
    if (!this.left) {
      this.bad = true;
      return "";
    }
    return this.words[this.at++];
  }

  private number(): i32 {
    const word = this.word();
    let n: i64 = 0;
    for (let i = 0; i < word.length && n < 1 << 31; i++) {
      const digit = word.charCodeAt(i) - 0x30;
      this.bad = this.bad || digit < 0 || digit > 9;
      n = n * 10 + digit;
    }
    this.bad = this.bad || word.length == 0 || n > i32.MAX_VALUE;
    return <i32>n;
  }

  private signed(): i32 {
    if (this.left && this.words[this.at].startsWith("-")) {
      this.words[this.at] = this.words[this.at].substring(1);
      return -this.number();
    }
    return this.number();
  }

  private choice(words: string[]): i32 {
    const found = words.indexOf(this.word());
    this.bad = this.bad || found < 0;
    return max(found, 0);
  }

  private bytes(): Uint8Array {
    return this.hex(this.word());
  }

  private byte(): u8 {
    return this.sized(this.word(), 1)[0];
  }

  /** Parses digits that must be n bytes. */
  private sized(digits: string, n: i32): Uint8Array {
    const bytes = this.hex(digits);
    if (bytes.length == n) return bytes;
    this.bad = true;
    return new Uint8Array(n);
  }

  /** Parses lower-case digits, two per byte. */
  private hex(digits: string): Uint8Array {
    if (digits.length == 0 || digits.length % 2 == 1) {
      this.bad = true;
      return NOTHING;
    }
    const bytes = new Uint8Array(digits.length / 2);
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = <u8>((this.digit(digits.charCodeAt(2 * i)) << 4) | this.digit(digits.charCodeAt(2 * i + 1)));
    }
    return bytes;
  }

  private digit(c: i32): i32 {
    if (c >= 0x30 && c <= 0x39) return c - 0x30;
    if (c >= 0x61 && c <= 0x66) return c - 0x61 + 10;
    this.bad = true;
    return 0;
  }
}
