// Command diagram draws docs/architecture.svg: the rooms of exgate, and the paths of a frame up and of a message down.
//
//	go run ./docs/diagram > docs/architecture.svg
//
// The picture is legible on a light and on a dark background. A test compares the file with the drawing.
package main

import (
	"bytes"
	"fmt"
	"html"
	"os"
)

func main() {
	if _, err := os.Stdout.Write(draw()); err != nil {
		fmt.Fprintln(os.Stderr, "diagram:", err)
		os.Exit(1)
	}
}

const width, height = 1200, 712

// Every color is set for light backgrounds, and again for dark ones: not every renderer knows variables.
const style = `
text { font-family: "DejaVu Sans", "Segoe UI", Helvetica, Arial, sans-serif; fill: #1c2430; font-size: 13px; }
.back { fill: #ffffff; }
.room { fill: #f3f5f8; stroke: #8a94a3; }
.outside { fill: none; stroke: #8a94a3; stroke-dasharray: 5 4; }
.inner { fill: #ffffff; stroke: #8a94a3; stroke-width: 0.7; }
.title { font-weight: bold; font-size: 15px; }
.path { font-family: "DejaVu Sans Mono", Consolas, Menlo, monospace; font-size: 11.5px; fill: #55606f; }
.small { font-size: 12px; fill: #55606f; }
.up { stroke: #1464c8; stroke-width: 2.2; fill: none; }
.down { stroke: #b8500a; stroke-width: 2.2; fill: none; }
.upfill { fill: #1464c8; }
.downfill { fill: #b8500a; }
.step { fill: #ffffff; font-size: 12px; font-weight: bold; text-anchor: middle; }
.middle { text-anchor: middle; }
@media (prefers-color-scheme: dark) {
  text { fill: #e8edf3; }
  .back { fill: #10151c; }
  .room { fill: #1b232d; stroke: #66717f; }
  .outside { stroke: #66717f; }
  .inner { fill: #232d39; stroke: #66717f; }
  .path, .small { fill: #a4afbc; }
  .up { stroke: #6cb0ff; }
  .down { stroke: #ffab66; }
  .upfill { fill: #6cb0ff; }
  .downfill { fill: #ffab66; }
  .step { fill: #10151c; }
}
`

// picture collects the elements of the drawing.
type picture struct{ bytes.Buffer }

func (p *picture) text(class string, x, y int, text string) {
	fmt.Fprintf(p, "<text class=%q x=\"%d\" y=\"%d\">%s</text>\n", class, x, y, html.EscapeString(text))
}

func (p *picture) box(class string, x, y, w, h int) {
	fmt.Fprintf(p, "<rect class=%q x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"7\"/>\n", class, x, y, w, h)
}

// room draws a package: its name, its path and what is in it, one part per row.
func (p *picture) room(x, y, w, h int, title, path string, parts ...[2]string) {
	p.box("room", x, y, w, h)
	p.text("title", x+14, y+24, title)
	p.text("path", x+14, y+42, path)
	for i, part := range parts {
		p.part(x+12, y+partsTop+i*partHeight, w-24, part)
	}
}

const partsTop, partHeight = 56, 42

// part draws a part of a room: what it is, and where it is.
func (p *picture) part(x, y, w int, part [2]string) {
	p.box("inner", x, y, w, partHeight-6)
	p.text("", x+10, y+15, part[0])
	p.text("path", x+10, y+30, part[1])
}

// outside draws something that is not part of exgate.
func (p *picture) outside(x, y, w, h int, lines ...string) {
	p.box("outside", x, y, w, h)
	for i, line := range lines {
		class := "middle small"
		if i == 0 {
			class = "middle title"
		}
		p.text(class, x+w/2, y+h/2+5+18*i-9*(len(lines)-1), line)
	}
}

// arrow draws a step of a journey: class is up or down, and step its number or letter.
func (p *picture) arrow(class, step string, x1, y1, x2, y2 int) {
	fmt.Fprintf(p, "<line class=%q x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" marker-end=\"url(#%s)\"/>\n",
		class, x1, y1, x2, y2, class)
	p.step(class, step, (x1+x2)/2, (y1+y2)/2)
}

func (p *picture) step(class, step string, x, y int) {
	fmt.Fprintf(p, "<circle class=\"%sfill\" cx=\"%d\" cy=\"%d\" r=\"10\"/>\n", class, x, y)
	p.text("step", x, y+4, step)
}

func (p *picture) marker(class string) {
	fmt.Fprintf(p, "<marker id=%q viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"6\" markerHeight=\"6\" "+
		"orient=\"auto\"><path class=\"%sfill\" d=\"M0 0L10 5L0 10z\"/></marker>\n", class, class)
}

// draw returns the picture.
func draw() []byte {
	var p picture
	fmt.Fprintf(&p, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" "+
		"aria-label=\"The rooms of exgate and the two journeys through them\">\n<style>%s</style>\n<defs>\n",
		width, height, style)
	p.marker("up")
	p.marker("down")
	fmt.Fprintln(&p, "</defs>")
	fmt.Fprintf(&p, "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", width, height)
	p.rooms()
	p.journeys()
	p.legend()
	fmt.Fprintln(&p, "</svg>")
	return p.Bytes()
}

// The upper row of rooms, and the row of handlers below it.
const (
	top, rowHeight = 84, 276
	lower          = 446
	upRow, downRow = top + 74, top + rowHeight - 64
)

func (p *picture) rooms() {
	p.box("room", 20, 16, width-40, 46)
	p.text("title", 34, 44, "The program")
	p.text("path", 148, 44, "cmd/exgate")
	p.text("small", 236, 44, "configuration, commands, upgrades, doctor; creates the rooms and connects them")

	p.outside(20, top, 110, rowHeight, "Devices", "TCP, TLS,", "WebSocket,", "UDP, DTLS,", "unix sockets")
	p.room(186, top, 226, rowHeight, "Listeners", "runtime/listener", listenerParts...)
	p.room(468, top, 256, rowHeight, "Gateway", "runtime/gateway", gatewayParts...)
	p.room(780, top, 232, rowHeight, "Connectors", "connectors", connectorParts...)
	p.outside(1068, top, 112, rowHeight, "MQTT", "broker")

	p.box("room", 400, lower, 392, 150)
	p.text("title", 414, lower+24, "Handlers")
	p.text("small", 494, lower+24, "with taps: captures and shadows")
	p.text("path", 414, lower+42, "runtime/tap")
	for i, part := range handlerParts {
		p.part(412+188*(i%2), lower+54+44*(i/2), 180, part)
	}
	p.outside(412, lower+184, 180, 52, "Module", "hostabi, hostabi/sdk")
	p.outside(600, lower+184, 180, 52, "Service", "proto, proto/sdk")
	for _, x := range []int{502, 690} {
		fmt.Fprintf(p, "<line class=\"outside\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n",
			x, lower+150, x, lower+184)
	}
}

func (p *picture) journeys() {
	for _, s := range []struct {
		class, step    string
		x1, y1, x2, y2 int
	}{
		{"up", "1", 130, upRow, 184, upRow},
		{"up", "2", 412, upRow, 466, upRow},
		{"up", "3", 500, top + rowHeight, 500, lower - 2},
		{"up", "4", 560, lower, 560, top + rowHeight + 2},
		{"up", "5", 724, upRow, 778, upRow},
		{"up", "6", 1012, upRow, 1066, upRow},
		{"down", "A", 1068, downRow, 1014, downRow},
		{"down", "B", 780, downRow, 726, downRow},
		{"down", "C", 632, top + rowHeight, 632, lower - 2},
		{"down", "D", 692, lower, 692, top + rowHeight + 2},
		{"down", "E", 468, downRow, 414, downRow},
		{"down", "F", 186, downRow, 132, downRow},
	} {
		p.arrow(s.class, s.step, s.x1, s.y1, s.x2, s.y2)
	}
}

func (p *picture) legend() {
	p.step("up", "1", 32, lower+12)
	p.text("", 50, lower+16, "to 6: a frame goes up")
	p.step("down", "A", 32, lower+40)
	p.text("", 50, lower+44, "to F: a message comes down")
	for i, line := range []string{
		"4 and D are the only ways back: the handler",
		"calls the connection that it belongs to.",
		"Nothing else returns to a room it has left.",
	} {
		p.text("small", 22, lower+76+18*i, line)
	}
	p.text("title", 826, lower+16, "Contracts")
	p.text("path", 826, lower+36, "runtime/gateway/contracts.go")
	for i, line := range []string{
		"Listener and Transport: implemented by listeners",
		"HandlerFactory, ConnectionHandler: by handlers",
		"ConnectionAdapter: by the gateway, for handlers",
		"Connector and Session: by connectors",
		"Every room imports the gateway, which imports",
		"only the leaves in internal.",
	} {
		p.text("small", 826, lower+60+18*i, line)
	}
}
