package service

import "fmt"

// State describes the listeners that are served, but for their addresses.
func (s *Service) State() (lines []string) {
	for _, o := range s.opened.list() {
		cfg, wiring := o.cfg, o.wiring
		cfg.Bind, wiring.NewHandler = "", nil
		lines = append(lines, fmt.Sprintf("%s: %+v %+v %s %d", o.name, cfg, wiring, o.held.Addr().Network(),
			o.list.rules.Len()))
	}
	return lines
}
