// Package lograte limits how often one kind of event is logged, so that devices that keep failing do not fill the log:
// [Limiter] for one kind of event, [Set] for a kind with keys, such as device ids. It imports no other package of
// exgate.
package lograte
