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
	maxData = 64 << 10 // as it is; in base64 a third more
	maxLine = 256 << 10
)

// answer is one line of what a request is answered with. The last one has Done or Error.
type answer struct {
	Progress string `json:"progress,omitempty"`
	Data     []byte `json:"data,omitempty"`
	Done     string `json:"done,omitempty"`
	Error    string `json:"error,omitempty"`
}

var errNoRequest = errors.New("no request")

// readRequest reads a line: a name, and where there are arguments a space and a JSON object.
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

// appendRequest makes the line of a request.
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

// Answers takes what comes before the last answer.
type Answers struct {
	Progress func(string)       // nil: nobody is told
	Data     func([]byte) error // an error ends the asking; nil: data are thrown away
	Patient  bool               // an interrupted asking waits for the last answer, 5 s at most
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

// readAnswers passes on what comes, and returns the last answer.
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
	return "", errors.Join(lines.Err(), errors.New("it ended without saying how that went: its log says more"))
}
