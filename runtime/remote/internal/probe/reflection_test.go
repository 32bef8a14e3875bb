package probe_test

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/exgate/exgate/proto/exproto"
	"github.com/exgate/exgate/runtime/remote/internal/probe"
)

func registerV1Alpha(s *grpc.Server) {
	reflectionv1alpha.RegisterServerReflectionServer(s, reflection.NewServer(reflection.ServerOptions{Services: s}))
}

// told is a reflection service that lists ConnectionHandler with its file, or with an error if it has none.
type told struct {
	reflectionv1.UnimplementedServerReflectionServer
	file []byte
}

func (r told) ServerReflectionInfo(
	stream grpc.BidiStreamingServer[reflectionv1.ServerReflectionRequest, reflectionv1.ServerReflectionResponse],
) error {
	for {
		question, err := stream.Recv()
		if err != nil {
			return nil
		}
		if err := stream.Send(r.answer(question)); err != nil {
			return err
		}
	}
}

func (r told) answer(question *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
	switch {
	case question.GetFileContainingSymbol() == "":
		return &reflectionv1.ServerReflectionResponse{
			MessageResponse: &reflectionv1.ServerReflectionResponse_ListServicesResponse{
				ListServicesResponse: &reflectionv1.ListServiceResponse{
					Service: []*reflectionv1.ServiceResponse{{Name: "emqx.exproto.v1.ConnectionHandler"}},
				},
			},
		}
	case r.file == nil:
		return &reflectionv1.ServerReflectionResponse{
			MessageResponse: &reflectionv1.ServerReflectionResponse_ErrorResponse{
				ErrorResponse: &reflectionv1.ErrorResponse{ErrorCode: int32(codes.NotFound), ErrorMessage: "no file"},
			},
		}
	}
	return &reflectionv1.ServerReflectionResponse{
		MessageResponse: &reflectionv1.ServerReflectionResponse_FileDescriptorResponse{
			FileDescriptorResponse: &reflectionv1.FileDescriptorResponse{
				FileDescriptorProto: [][]byte{[]byte("no file at all \xff"), r.file},
			},
		},
	}
}

func TestReflectionOfV42(t *testing.T) {
	file, err := proto.Marshal(&descriptorpb.FileDescriptorProto{
		Package: proto.String("emqx.exproto.v1"),
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name:   proto.String("ConnectionHandler"),
			Method: []*descriptorpb.MethodDescriptorProto{{Name: proto.String("OnReceivedBytes")}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, serve(t, func(s *grpc.Server) { reflectionv1.RegisterServerReflectionServer(s, told{file: file}) }),
		probe.UnaryV42, "reflection")
}

func TestReflectionThatTellsTooLittle(t *testing.T) {
	conn := serve(t, func(s *grpc.Server) {
		reflectionv1.RegisterServerReflectionServer(s, told{})
		exproto.RegisterConnectionHandlerServer(s, exproto.UnimplementedConnectionHandlerServer{})
	})
	expect(t, conn, probe.Stream, "reflection") // which unary methods take too
}

func TestReflectionThatIsHostile(t *testing.T) {
	for _, answer := range []func(grpc.ServerStream) error{
		func(s grpc.ServerStream) error {
			return s.SendMsg(&reflectionv1.ServerReflectionResponse{ValidHost: string(make([]byte, 2<<20))})
		},
		func(s grpc.ServerStream) error { return nil },
		func(s grpc.ServerStream) error { return status.Error(codes.Internal, "no") },
	} {
		conn := serve(t, func(s *grpc.Server) {
			exproto.RegisterConnectionHandlerServer(s, exproto.UnimplementedConnectionHandlerServer{})
		}, grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
			method, _ := grpc.MethodFromServerStream(s)
			if method == reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName {
				return answer(s)
			}
			return status.Error(codes.Unimplemented, "unknown")
		}))
		if f, err := probe.Find(t.Context(), conn); err != nil || f.Dialects != nil {
			t.Errorf("found %+v, %v", f, err)
		}
	}
}
