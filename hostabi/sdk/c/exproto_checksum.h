// The checksums of device protocols: CRCs of 8, 16 and 32 bits, sums and exclusive ors.
//
//   uint32_t sum = xp_crc_sum(xp_crc16_modbus(), frame);
//
// The CRCs are named as in the catalogue of Greg Cook (https://reveng.sourceforge.io/crc-catalogue/), which has their
// parameters and the check value of each: the CRC of the text "123456789". Their tables are built at first use, so that
// a module contains only the CRCs that it calls.
#ifndef EXPROTO_CHECKSUM_H
#define EXPROTO_CHECKSUM_H

#include "exproto.h"

// One kind of CRC. Use one of the functions below, or fill in the parameters of another kind, in a static variable.
typedef struct {
  uint32_t width;        // 8 to 32 bits
  uint32_t poly;         // most significant bit first
  uint32_t init, xorout; // init must be the same backwards if reflected is set
  bool reflected;        // the least significant bit of a byte comes first, and the result is reflected
  bool built;
  uint32_t table[256];
} xp_crc;

static inline uint32_t xp_crc_mask(const xp_crc *c) { return 0xffffffffu >> (32 - c->width); }

static inline void xp_crc_build(xp_crc *c) {
  uint32_t poly = c->poly, top = 1u << (c->width - 1);
  if (c->reflected) {
    poly = 0;
    for (uint32_t i = 0; i < c->width; i++) poly |= (c->poly >> i & 1) << (c->width - 1 - i);
  }
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t r = c->reflected ? i : i << (c->width - 8);
    for (uint32_t bit = 0; bit < 8; bit++) {
      if (c->reflected) r = r & 1 ? r >> 1 ^ poly : r >> 1;
      else r = r & top ? r << 1 ^ poly : r << 1;
    }
    c->table[i] = r & xp_crc_mask(c);
  }
  c->built = true;
}

// Returns the CRC of everything that sum is the CRC of, followed by bytes.
static inline uint32_t xp_crc_update(xp_crc *c, uint32_t sum, xp_str bytes) {
  if (!c->built) xp_crc_build(c);
  uint32_t r = (sum ^ c->xorout) & xp_crc_mask(c);
  for (uint32_t i = 0; i < bytes.n; i++) {
    if (c->reflected) r = c->table[(r ^ bytes.p[i]) & 0xff] ^ r >> 8;
    else r = (c->table[(r >> (c->width - 8) ^ bytes.p[i]) & 0xff] ^ r << 8) & xp_crc_mask(c);
  }
  return r ^ c->xorout;
}

// Returns the CRC of bytes.
static inline uint32_t xp_crc_sum(xp_crc *c, xp_str bytes) { return xp_crc_update(c, c->init ^ c->xorout, bytes); }

#define XP_CRC(name, ...)                                                                                              \
  static inline xp_crc *name(void) {                                                                                   \
    static xp_crc c = {__VA_ARGS__};                                                                                   \
    return &c;                                                                                                         \
  }

XP_CRC(xp_crc8_maxim_dow, .width = 8, .poly = 0x31, .reflected = true) // 1-Wire
XP_CRC(xp_crc8_rohc, .width = 8, .poly = 0x07, .init = 0xff, .reflected = true)
XP_CRC(xp_crc8_sae_j1850, .width = 8, .poly = 0x1d, .init = 0xff, .xorout = 0xff)
XP_CRC(xp_crc8_smbus, .width = 8, .poly = 0x07)

// CCITT-FALSE is IBM-3740 in the catalogue, X25 is IBM-SDLC, and IBM is ARC.
XP_CRC(xp_crc16_arc, .width = 16, .poly = 0x8005, .reflected = true)
XP_CRC(xp_crc16_ccitt_false, .width = 16, .poly = 0x1021, .init = 0xffff)
XP_CRC(xp_crc16_dnp, .width = 16, .poly = 0x3d65, .xorout = 0xffff, .reflected = true)
XP_CRC(xp_crc16_en13757, .width = 16, .poly = 0x3d65, .xorout = 0xffff) // wireless M-Bus
XP_CRC(xp_crc16_genibus, .width = 16, .poly = 0x1021, .init = 0xffff, .xorout = 0xffff)
XP_CRC(xp_crc16_kermit, .width = 16, .poly = 0x1021, .reflected = true)
XP_CRC(xp_crc16_maxim_dow, .width = 16, .poly = 0x8005, .xorout = 0xffff, .reflected = true)
XP_CRC(xp_crc16_mcrf4xx, .width = 16, .poly = 0x1021, .init = 0xffff, .reflected = true)
XP_CRC(xp_crc16_modbus, .width = 16, .poly = 0x8005, .init = 0xffff, .reflected = true)
XP_CRC(xp_crc16_umts, .width = 16, .poly = 0x8005)
XP_CRC(xp_crc16_usb, .width = 16, .poly = 0x8005, .init = 0xffff, .xorout = 0xffff, .reflected = true)
XP_CRC(xp_crc16_x25, .width = 16, .poly = 0x1021, .init = 0xffff, .xorout = 0xffff, .reflected = true)
XP_CRC(xp_crc16_xmodem, .width = 16, .poly = 0x1021)

// ISO-HDLC is that of Ethernet and zip.
XP_CRC(xp_crc32_bzip2, .width = 32, .poly = 0x04c11db7, .init = 0xffffffff, .xorout = 0xffffffff)
XP_CRC(xp_crc32_iscsi, .width = 32, .poly = 0x1edc6f41, .init = 0xffffffff, .xorout = 0xffffffff, .reflected = true)
XP_CRC(xp_crc32_iso_hdlc, .width = 32, .poly = 0x04c11db7, .init = 0xffffffff, .xorout = 0xffffffff, .reflected = true)
XP_CRC(xp_crc32_mpeg2, .width = 32, .poly = 0x04c11db7, .init = 0xffffffff)

// Returns the exclusive or of the bytes, which many protocols call BCC or LRC.
static inline uint8_t xp_xor(xp_str bytes) {
  uint8_t x = 0;
  for (uint32_t i = 0; i < bytes.n; i++) x ^= bytes.p[i];
  return x;
}

// Returns the sum of the bytes, modulo 65,536.
static inline uint16_t xp_sum16(xp_str bytes) {
  uint16_t sum = 0;
  for (uint32_t i = 0; i < bytes.n; i++) sum = (uint16_t)(sum + bytes.p[i]);
  return sum;
}

// Returns the sum of the bytes, modulo 256.
static inline uint8_t xp_sum8(xp_str bytes) { return (uint8_t)xp_sum16(bytes); }

// Returns the two's complement of xp_sum8, as in Modbus ASCII: bytes and their LRC add up to 0.
static inline uint8_t xp_lrc(xp_str bytes) { return (uint8_t)-xp_sum8(bytes); }

#endif
