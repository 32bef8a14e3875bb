package spool

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// killedFolder passes the folder to the test binary that runs as the process to be killed.
const killedFolder = "EXGATE_SPOOL_KILLED"

// TestSIGKILL repeatedly kills a process that appends for many devices in one folder, and compares the records it
// reported as durable with those on disk.
func TestSIGKILL(t *testing.T) {
	if folder := os.Getenv(killedFolder); folder != "" {
		appendForever(t, folder)
	}
	folder := t.TempDir()
	durable := map[string][]int{}
	for round := range 5 {
		runUntilKilled(t, folder, 200+400*round, durable)
		checkLeft(t, folder, durable)
	}
}

// appendForever prints a line for each durable record. Each device has several appends in flight.
func appendForever(t *testing.T, folder string) {
	s, err := Open(Config{Folder: folder, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for d := range 8 {
		id := fmt.Sprint("dev", d)
		q := s.Queue(id)
		go func() {
			window := make(chan struct{}, 4)
			for i := lastOf(q) + 1; ; i++ {
				window <- struct{}{}
				q.Append(publish(strconv.Itoa(i), make([]byte, 3000)...), func(err error) {
					if err == nil {
						fmt.Fprintf(os.Stdout, "durable %s %d\n", id, i)
					}
					<-window
				})
			}
		}()
	}
	select {}
}

// lastOf returns the number of the newest record of a queue, or -1: the records are numbered without gaps.
func lastOf(q *Queue) int {
	_, r, ok := q.First()
	if !ok {
		return -1
	}
	first, _ := strconv.Atoi(r.Topic)
	return first + q.Len() - 1
}

// runUntilKilled kills the process after so many reports, and adds these to durable.
func runUntilKilled(t *testing.T, folder string, reports int, durable map[string][]int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSIGKILL$")
	cmd.Env = append(os.Environ(), killedFolder+"="+folder)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	n := 0
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break
		}
		if rest, ok := strings.CutPrefix(line, "durable "); ok {
			id, number, _ := strings.Cut(strings.TrimSpace(rest), " ")
			i, _ := strconv.Atoi(number)
			durable[id] = append(durable[id], i)
			n++
		}
		if n == reports {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if n < reports {
		t.Fatalf("the process ended by itself after %d records", n)
	}
}

// checkLeft opens the folder and expects every durable record, in order and without gaps. It leaves the records there.
func checkLeft(t *testing.T, folder string, durable map[string][]int) {
	t.Helper()
	s := openIn(t, Config{Folder: folder})
	defer s.Close()
	for id, numbers := range durable {
		q := s.Queue(id)
		var left []int
		err := s.disk.eachRecord(place{q.number, 0}, func(_ place, value []byte) bool {
			r, err := decode(value)
			i, err2 := strconv.Atoi(r.Topic)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			left = append(left, i)
			return true
		})
		if err != nil || len(left) != q.Len() {
			t.Fatalf("%s: %d records counted and %d read: %v", id, q.Len(), len(left), err)
		}
		for i := range left {
			if left[i] != i {
				t.Fatalf("%s: record %d where %d belongs", id, left[i], i)
			}
		}
		if last := numbers[len(numbers)-1]; last >= len(left) {
			t.Fatalf("%s: record %d was durable, and %d are left", id, last, len(left))
		}
	}
}
