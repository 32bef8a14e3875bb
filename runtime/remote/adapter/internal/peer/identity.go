package peer

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Metadata of the calls between nodes.
const (
	forwardedBy = "exgate-forwarded-by" // a node's name: the call must not be forwarded again
	peerToken   = "exgate-peer-token"   //nolint:gosec // the name of a header
	fromHandler = "authorization"       // of the handler, passed on
)

// identity is what a node presents to the others.
type identity struct {
	node  string
	token string
}

// introduce returns the context of a call to another node, with the node's own identity and the authorization of the
// call to forward.
func (i identity) introduce(ctx context.Context) context.Context {
	md := metadata.Pairs(forwardedBy, i.node)
	if i.token != "" {
		md.Set(peerToken, i.token)
	}
	md.Append(fromHandler, metadata.ValueFromIncomingContext(ctx, fromHandler)...)
	return metadata.NewOutgoingContext(ctx, md)
}

// ErrPeerToken refuses a call of another node that has the wrong token.
var ErrPeerToken = errors.New("this node has a different peer token (adapter.peer_token_file)")

// Forwarded reports whether header is from a call that another node forwarded. The error is ErrPeerToken if that has
// the wrong token.
func (p *Peers) Forwarded(header metadata.MD) (bool, error) {
	if len(header.Get(forwardedBy)) == 0 {
		return false, nil
	}
	presented := header.Get(peerToken)
	if p.cfg.Token != "" && (len(presented) != 1 || !equal(presented[0], p.cfg.Token)) {
		return true, ErrPeerToken
	}
	return true, nil
}

// equal compares in constant time.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Service is the gRPC service by which nodes ask for each other's names. nodeMethod takes an Empty and returns a
// StringValue.
const (
	Service    = "exgate.peer.v1.Peers"
	nodeMethod = "/" + Service + "/Node"
)

// Register serves this node's name to the others.
func (p *Peers) Register(r grpc.ServiceRegistrar) {
	r.RegisterService(&grpc.ServiceDesc{ServiceName: Service, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "Node",
		Handler: func(
			_ any, ctx context.Context, decode func(any) error, admit grpc.UnaryServerInterceptor,
		) (any, error) {
			return p.serveNode(ctx, decode, admit)
		},
	}}}, p)
}

func (p *Peers) serveNode(ctx context.Context, decode func(any) error, admit grpc.UnaryServerInterceptor) (any, error) {
	request := new(emptypb.Empty)
	if err := decode(request); err != nil {
		return nil, err
	}
	answer := func(context.Context, any) (any, error) { return wrapperspb.String(p.cfg.Node), nil }
	if admit == nil {
		return answer(ctx, request)
	}
	return admit(ctx, request, &grpc.UnaryServerInfo{Server: p, FullMethod: nodeMethod}, answer)
}

// ask asks a node for its name.
func (p *Peers) ask(ctx context.Context, n *node) (string, error) {
	name := new(wrapperspb.StringValue)
	if err := n.rpc.Invoke(p.identity.introduce(ctx), nodeMethod, new(emptypb.Empty), name); err != nil {
		return "", err
	}
	return name.GetValue(), nil
}
