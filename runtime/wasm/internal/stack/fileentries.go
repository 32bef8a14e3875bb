package stack

// Contents and forms of the entries of version 5.
const (
	contentPath   = 1
	contentFolder = 2

	formData2  = 0x05
	formData4  = 0x06
	formData8  = 0x07
	formText   = 0x08
	formBlock  = 0x09
	formData1  = 0x0b
	formStrp   = 0x0e
	formUdata  = 0x0f
	formData16 = 0x1e
	formLine   = 0x1f
)

// entries reads the list of folders, or of files that are in folders.
func (u *lineUnit) entries(folders []string) (all []string) {
	format := make([][2]uint64, u.Byte())
	for i := range format {
		format[i] = [2]uint64{u.Uvarint(), u.Uvarint()}
	}
	n := u.Uvarint()
	if n > uint64(len(u.Data)) || len(format) == 0 && n > 0 { // each entry takes a byte or more
		u.Data, u.Failed = nil, true
		return nil
	}
	for ; n > 0 && !u.Failed && len(u.lines.files)+len(all) < maxFiles; n-- {
		name, folder := "", uint64(0)
		for _, f := range format {
			text, number := u.value(f[1])
			switch f[0] {
			case contentPath:
				name = text
			case contentFolder:
				folder = number
			}
		}
		if folders != nil {
			name = u.path(folders, folder, name)
		}
		all = append(all, name)
	}
	return all
}

// value reads a value of a form.
func (u *lineUnit) value(form uint64) (text string, number uint64) {
	switch form {
	case formText:
		return u.text(), 0
	case formLine:
		return u.lines.text(".debug_line_str", u32(&u.Reader)), 0
	case formStrp:
		return u.lines.text(".debug_str", u32(&u.Reader)), 0
	case formUdata:
		return "", u.Uvarint()
	case formData1:
		return "", uint64(u.Byte())
	case formData2:
		return "", uint64(u16(&u.Reader))
	case formData4:
		return "", uint64(u32(&u.Reader))
	case formData8:
		u.Bytes(8)
	case formData16:
		u.Bytes(16)
	case formBlock:
		u.Bytes(u.Uint32())
	default:
		u.Data, u.Failed = nil, true
	}
	return "", 0
}

// text returns the text at an offset of a section.
func (l *lines) text(section string, at uint32) string {
	b := l.texts[section]
	if uint64(at) >= uint64(len(b)) {
		return ""
	}
	text, _, _ := cut0(b[at:])
	return string(text)
}
