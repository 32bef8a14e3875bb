package control

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// The bounds of an answer, in bytes.
const (
	maxData = 64 << 10 // before base64, which adds a third
	maxLine = 256 << 10
)

// answer is one line of an answer. The last line has Done or Error.
type answer struct {
	Progress string `json:"progress,omitempty"`
	Data     []byte `json:"data,omitempty"`
	Done     string `json:"done,omitempty"`
	Error    string `json:"error,omitempty"`
}

var errNoRequest = errors.New("no request")

// readRequest reads one line: a name, optionally followed by a space and a JSON object.
func readRequest(from io.Reader) (name string, args json.RawMessage, err error) {
	line, err := bufio.NewReaderSize(io.LimitReader(from, maxRequest), maxRequest).ReadSlice('\n')
	if err != nil {
		return "", nil, err
	}
	name, rest, found := strings.Cut(string(bytes.TrimSuffix(line, []byte("\n"))), " ")
	if found && !json.Valid([]byte(rest)) {
		return "", nil, errNoRequest
	}
	return name, json.RawMessage(rest), nil
}

// appendRequest appends the line of a request.
func appendRequest(name string, args any) ([]byte, error) {
	line := []byte(name)
	if args != nil {
		b, err := json.Marshal(args)
		if err != nil {
			return nil, err
		}
		line = append(append(line, ' '), b...)
	}
	return append(line, '\n'), nil
}

// Answers receives what arrives before the last answer.
type Answers struct {
	Progress func(string)       // optional
	Data     func([]byte) error // optional; an error ends the request
	Patient  bool               // after an interrupt, wait up to 5 s for the last answer
}

func (to Answers) take(a answer) error {
	if a.Data != nil && to.Data != nil {
		return to.Data(a.Data)
	}
	if a.Progress != "" && to.Progress != nil {
		to.Progress(a.Progress)
	}
	return nil
}

// readAnswers passes on answers and returns the last one.
func readAnswers(from io.Reader, to Answers) (string, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return "", err
		}
		switch {
		case a.Error != "":
			return "", errors.New(a.Error)
		case a.Done != "":
			return a.Done, nil
		}
		if err := to.take(a); err != nil {
			return "", err
		}
	}
	return "", errors.Join(lines.Err(), errors.New("the gateway closed the connection without a result; see its log"))
}
