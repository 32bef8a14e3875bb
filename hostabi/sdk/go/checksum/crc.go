package checksum

// Word is the type of a CRC's value.
type Word interface{ uint8 | uint16 | uint32 }

// CRC computes one kind of CRC. Use one of the variables of this package, or fill in the parameters of another kind.
type CRC[W Word] struct {
	// Poly is the polynomial, most significant bit first.
	Poly W
	// Init is the value that the register starts with. It must be the same backwards if Reflected is set.
	Init W
	// XorOut is combined with the register at the end.
	XorOut W
	// Reflected says that the least significant bit of a byte comes first, and that the result is reflected.
	Reflected bool

	built bool
	table [256]W
}

// Sum returns the CRC of b.
func (c *CRC[W]) Sum(b []byte) W { return c.Update(c.Init^c.XorOut, b) }

// Update returns the CRC of everything that sum is the CRC of, followed by b.
func (c *CRC[W]) Update(sum W, b []byte) W {
	if !c.built {
		c.build()
	}
	r := sum ^ c.XorOut
	if c.Reflected {
		for _, x := range b {
			r = c.table[byte(r)^x] ^ W(uint32(r)>>8)
		}
		return r ^ c.XorOut
	}
	top := bits[W]() - 8
	for _, x := range b {
		r = c.table[byte(r>>top)^x] ^ W(uint32(r)<<8)
	}
	return r ^ c.XorOut
}

func (c *CRC[W]) build() {
	n := bits[W]()
	poly, top := c.Poly, W(1)<<(n-1)
	if c.Reflected {
		poly = reverse(poly)
	}
	for i := range c.table {
		r := W(i)
		if !c.Reflected {
			r <<= n - 8
		}
		for range 8 {
			switch {
			case c.Reflected && r&1 != 0:
				r = r>>1 ^ poly
			case c.Reflected:
				r >>= 1
			case r&top != 0:
				r = r<<1 ^ poly
			default:
				r <<= 1
			}
		}
		c.table[i] = r
	}
	c.built = true
}

func bits[W Word]() (n int) {
	for w := ^W(0); w != 0; w >>= 1 {
		n++
	}
	return n
}

func reverse[W Word](w W) (r W) {
	for range bits[W]() {
		r = r<<1 | w&1
		w >>= 1
	}
	return r
}

// The CRCs of 8 bits.
var (
	CRC8SMBus    = &CRC[uint8]{Poly: 0x07}
	CRC8MaximDow = &CRC[uint8]{Poly: 0x31, Reflected: true} // 1-Wire
	CRC8ROHC     = &CRC[uint8]{Poly: 0x07, Init: 0xff, Reflected: true}
	CRC8SAEJ1850 = &CRC[uint8]{Poly: 0x1d, Init: 0xff, XorOut: 0xff}
)

// The CRCs of 16 bits. CCITT-FALSE is IBM-3740 in the catalogue, X25 is IBM-SDLC, and IBM is ARC.
var (
	CRC16ARC        = &CRC[uint16]{Poly: 0x8005, Reflected: true}
	CRC16CCITTFalse = &CRC[uint16]{Poly: 0x1021, Init: 0xffff}
	CRC16DNP        = &CRC[uint16]{Poly: 0x3d65, XorOut: 0xffff, Reflected: true}
	CRC16EN13757    = &CRC[uint16]{Poly: 0x3d65, XorOut: 0xffff} // wireless M-Bus
	CRC16Genibus    = &CRC[uint16]{Poly: 0x1021, Init: 0xffff, XorOut: 0xffff}
	CRC16Kermit     = &CRC[uint16]{Poly: 0x1021, Reflected: true}
	CRC16MaximDow   = &CRC[uint16]{Poly: 0x8005, XorOut: 0xffff, Reflected: true}
	CRC16MCRF4XX    = &CRC[uint16]{Poly: 0x1021, Init: 0xffff, Reflected: true}
	CRC16Modbus     = &CRC[uint16]{Poly: 0x8005, Init: 0xffff, Reflected: true}
	CRC16UMTS       = &CRC[uint16]{Poly: 0x8005}
	CRC16USB        = &CRC[uint16]{Poly: 0x8005, Init: 0xffff, XorOut: 0xffff, Reflected: true}
	CRC16X25        = &CRC[uint16]{Poly: 0x1021, Init: 0xffff, XorOut: 0xffff, Reflected: true}
	CRC16XModem     = &CRC[uint16]{Poly: 0x1021}
)

// The CRCs of 32 bits. ISO-HDLC is that of Ethernet and zip.
var (
	CRC32Bzip2   = &CRC[uint32]{Poly: 0x04c11db7, Init: 0xffffffff, XorOut: 0xffffffff}
	CRC32ISCSI   = &CRC[uint32]{Poly: 0x1edc6f41, Init: 0xffffffff, XorOut: 0xffffffff, Reflected: true}
	CRC32ISOHDLC = &CRC[uint32]{Poly: 0x04c11db7, Init: 0xffffffff, XorOut: 0xffffffff, Reflected: true}
	CRC32MPEG2   = &CRC[uint32]{Poly: 0x04c11db7, Init: 0xffffffff}
)
