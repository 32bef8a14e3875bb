package spool

import (
	"errors"
	"fmt"
)

var errForeign = errors.New("it contains another program's database; choose a separate folder for the spool")

// load counts the records that an earlier process left on disk.
func (s *Spool) load() error {
	if err := s.disk.Sign(formatKey, formatMark, errForeign); err != nil {
		return err
	}
	numbers, err := s.loadQueues()
	if err != nil {
		return fmt.Errorf("reading the client ids: %w", err)
	}
	if err := s.disk.Each([]byte{recordPrefix}, nil, func(key, value []byte) (bool, error) {
		return true, s.loadRecord(numbers, key, value)
	}); err != nil {
		return fmt.Errorf("reading the records: %w", err)
	}
	for _, q := range numbers {
		s.holding.update(q)
		s.settle(q)
		s.cfg.Metrics.records.Add(float64(q.durable))
	}
	s.cfg.Metrics.devices.Add(float64(len(s.holding)))
	return nil
}

func (s *Spool) loadQueues() (map[uint64]*Queue, error) {
	numbers := map[uint64]*Queue{}
	err := s.disk.Each([]byte{clientPrefix}, []byte{clientPrefix + 1}, func(key, value []byte) (bool, error) {
		number, err := parseClientKey(key)
		if err != nil {
			return false, err
		}
		id := string(value)
		if s.queues[id] != nil {
			return false, fmt.Errorf("two queues have the client id %.100q", id)
		}
		q := s.newQueue(id)
		q.number = number
		numbers[number] = q
		s.nextNumber = max(s.nextNumber, number+1)
		return true, nil
	})
	return numbers, err
}

func (s *Spool) loadRecord(numbers map[uint64]*Queue, key, value []byte) error {
	p, err := parseRecordKey(key)
	if err != nil {
		return err
	}
	at, err := decodeAt(value)
	if err != nil {
		return err
	}
	q := numbers[p.number]
	if q == nil {
		return fmt.Errorf("queue %d has no client id", p.number)
	}
	if q.durable == 0 {
		q.head, q.since = p.sequence, at
	}
	n := valueBytes(value)
	q.durable++
	q.held += n
	q.last, q.next = p.sequence, p.sequence+1
	s.add(q, n)
	return nil
}
