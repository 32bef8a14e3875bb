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

// PeersConfig configures the other nodes behind the same adapter address. All nodes must have the same handlers with
// the same tokens.
type PeersConfig struct {
	// Nodes are the adapters of the nodes, each as node=host:port. This node may be among them. Optional if DNS is set.
	Nodes []string
	// DNS is a name:port that resolves to the adapters of the nodes. It is looked up every 30 s, and when a call names
	// an unknown node. Optional if Nodes is set.
	DNS string
	// Token is what the nodes present to each other. If zero, forwarded calls are accepted from anyone and treated as
	// direct calls.
	Token string
	// TLS secures the calls to other nodes. If zero, plain text.
	TLS *tls.Config
}

// newPeers returns nil if no peers are configured.
func newPeers(cfg Config) (*peer.Peers, error) {
	if len(cfg.Peers.Nodes) == 0 && cfg.Peers.DNS == "" {
		return nil, nil
	}
	return peer.New(peer.Config{
		Node: cfg.Node, Nodes: cfg.Peers.Nodes, DNS: cfg.Peers.DNS, Token: cfg.Peers.Token, TLS: cfg.Peers.TLS,
		Logger: cfg.Logger,
	})
}

// isElsewhere reports whether to forward a call. A call is forwarded once at most.
func (s *calls) isElsewhere(c *caller, id string) bool {
	if s.peers == nil || c.peer {
		return false
	}
	node := gateway.NodeOf(id)
	return node != "" && node != s.node
}

// forward executes the call on the connection's node. The RPC fails only for errors of the caller.
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
		s.log.Warn("call to another node failed", "node", node, "method", method, "error", err,
			"check", "that it runs, adapter.peers, and the peer tokens and TLS of both")
	})
	return s.answer("", method, id, notForwarded(node, code)), nil
}

// notForwarded describes why the node did not answer. The error itself, which contains its address, is only logged.
func notForwarded(node string, code codes.Code) gateway.Result {
	switch code {
	case codes.Unavailable:
		return gateway.Refuse(gateway.CodeUnknown, "the connection's node %q cannot be reached", node)
	case codes.DeadlineExceeded, codes.Canceled:
		return gateway.Refuse(gateway.CodeUnknown, "the connection's node %q did not answer in time", node)
	}
	return gateway.Refuse(gateway.CodeUnknown, "the connection's node %q refuses calls from this node: %v", node, code)
}
