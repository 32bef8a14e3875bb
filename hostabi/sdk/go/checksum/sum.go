package checksum

// Xor returns the exclusive or of the bytes of b, which many protocols call BCC or LRC.
func Xor(b []byte) (x byte) {
	for _, c := range b {
		x ^= c
	}
	return x
}

// Sum8 returns the sum of the bytes of b, modulo 256.
func Sum8(b []byte) (sum byte) {
	for _, c := range b {
		sum += c
	}
	return sum
}

// Sum16 returns the sum of the bytes of b, modulo 65,536.
func Sum16(b []byte) (sum uint16) {
	for _, c := range b {
		sum += uint16(c)
	}
	return sum
}

// LRC returns the two's complement of [Sum8], as in Modbus ASCII: b and its LRC add up to 0.
func LRC(b []byte) byte { return -Sum8(b) }
