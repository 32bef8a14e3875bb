package adapter

import (
	"crypto/tls"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/gateway"
	"github.com/exgate/exgate/runtime/remote/adapter/internal/peer"
)

// PeersConfig is about the other nodes behind the same adapter address. All of them have the same handlers with the same tokens.
type PeersConfig struct {
	// Nodes are the nodes' adapters, each as node=host:port; this node may be among them. If zero, only DNS tells.
	Nodes []string
	// DNS is a name:port whose addresses are the nodes' adapters. It is asked every 30 s, and when a call is for a node that is not known.
	// If zero, only Nodes tell.
	DNS string
	// Token is what the nodes present to each other. If zero, none: what a node forwards is then taken from anybody, and it is worth no
	// more than a call that came directly.
	Token string
	// TLS secures the calls to other nodes. If zero, plain text.
	TLS *tls.Config
}

// newPeers returns nil where there are none.
func newPeers(cfg Config) (*peer.Peers, error) {
	if len(cfg.Peers.Nodes) == 0 && cfg.Peers.DNS == "" {
		return nil, nil
	}
	return peer.New(peer.Config{
		Node: cfg.Node, Nodes: cfg.Peers.Nodes, DNS: cfg.Peers.DNS, Token: cfg.Peers.Token, TLS: cfg.Peers.TLS, Logger: cfg.Logger,
	})
}

// isElsewhere reports whether a call is to be forwarded. One that was forwarded already goes no further.
func (s *calls) isElsewhere(c *caller, id string) bool {
	if s.peers == nil || c.peer {
		return false
	}
	node := gateway.NodeOf(id)
	return node != "" && node != s.node
}

// forward makes the call at the connection's node. Only what the caller did wrong fails the RPC.
func (s *calls) forward(c *caller, method string, request connRequest) (*exproto.CodeResponse, error) {
	id, response := request.GetConn(), new(exproto.CodeResponse)
	node := gateway.NodeOf(id)
	err := s.peers.Forward(c.call, node, adapterPrefix+method, request, response)
	code := status.Code(err)
	switch {
	case errors.Is(err, peer.ErrUnknownNode):
		return s.answer("", method, id, resultNoConn), nil
	case c.call.Err() != nil:
		return nil, status.FromContextError(c.call.Err()).Err()
	}
	s.admission.metrics.forwarded.WithLabelValues(node, code.String()).Inc()
	switch code {
	case codes.OK:
		s.admission.metrics.calls.WithLabelValues("", method, gateway.ResultCode(response.GetCode()).String()).Inc()
		return response, nil
	case codes.Unauthenticated:
		return nil, err
	}
	s.admission.unreached.Do(func() {
		s.log.Warn("call to another node failed", "node", node, "method", method, "error", err, "check", "that it runs, adapter.peers, and the peer tokens and TLS of both")
	})
	return s.answer("", method, id, notForwarded(node, code)), nil
}

// notForwarded says what keeps the node from answering; the error itself, with its address, is for the log.
func notForwarded(node string, code codes.Code) gateway.Result {
	switch code {
	case codes.Unavailable:
		return gateway.Refuse(gateway.CodeUnknown, "the connection's node %q cannot be reached", node)
	case codes.DeadlineExceeded, codes.Canceled:
		return gateway.Refuse(gateway.CodeUnknown, "the connection's node %q did not answer in time", node)
	}
	return gateway.Refuse(gateway.CodeUnknown, "the connection's node %q refuses calls of this one: %v", node, code)
}
