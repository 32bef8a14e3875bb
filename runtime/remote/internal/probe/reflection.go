package probe

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// form is what the methods of a service take.
type form int

const (
	formUnknown form = iota
	formUnary
	formStream
)

// service is a service listed by reflection.
type service struct {
	name string
	form form // of streamService; unknown for all others
}

// Limits on what a server may list.
const (
	maxReflected = 1 << 20 // bytes of an answer
	maxNames     = 16
	maxNameBytes = 128
)

// reflections are the two versions of the reflection service. Their messages are the same.
var reflections = []struct{ name, method string }{
	{"grpc.reflection.v1", reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName},
	{"grpc.reflection.v1alpha", reflectionv1alpha.ServerReflection_ServerReflectionInfo_FullMethodName},
}

// reflected returns the services that the server lists, and the version of reflection that did.
func reflected(ctx context.Context, conn grpc.ClientConnInterface) (services []service, version string, err error) {
	for _, r := range reflections {
		services, err = reflectedBy(ctx, conn, r.method)
		if err == nil || unreachable(err) {
			return services, r.name, err
		}
	}
	return nil, "", err
}

func reflectedBy(ctx context.Context, conn grpc.ClientConnInterface, method string) ([]service, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method,
		grpc.MaxCallRecvMsgSize(maxReflected))
	if err != nil {
		return nil, err
	}
	list, err := reflect(stream,
		&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	if err != nil {
		return nil, err
	}
	var services []service
	for _, s := range list.GetListServicesResponse().GetService() {
		services = append(services, service{name: s.GetName()})
		if s.GetName() == streamService {
			services[len(services)-1].form = formOf(stream)
		}
	}
	return services, nil
}

// reflect sends one request.
func reflect(
	stream grpc.ClientStream, question *reflectionv1.ServerReflectionRequest,
) (*reflectionv1.ServerReflectionResponse, error) {
	answer := new(reflectionv1.ServerReflectionResponse)
	if err := stream.SendMsg(question); err != nil {
		return nil, stream.RecvMsg(answer) // the status is here
	}
	if err := stream.RecvMsg(answer); err != nil {
		return nil, err
	}
	if e := answer.GetErrorResponse(); e != nil {
		return nil, status.Error(codes.Code(e.GetErrorCode()), e.GetErrorMessage())
	}
	return answer, nil
}

// formOf returns whether the methods of streamService take streams, from the file that declares it.
func formOf(stream grpc.ClientStream) form {
	answer, err := reflect(stream, &reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: streamService},
	})
	if err != nil {
		return formUnknown
	}
	for _, encoded := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := new(descriptorpb.FileDescriptorProto)
		if proto.Unmarshal(encoded, file) != nil {
			continue
		}
		if f := formIn(file); f != formUnknown {
			return f
		}
	}
	return formUnknown
}

func formIn(file *descriptorpb.FileDescriptorProto) form {
	for _, s := range file.GetService() {
		if file.GetPackage()+"."+s.GetName() != streamService {
			continue
		}
		for _, m := range s.GetMethod() {
			if m.GetName() != "OnReceivedBytes" {
				continue
			}
			if m.GetClientStreaming() {
				return formStream
			}
			return formUnary
		}
	}
	return formUnknown
}

// names lists services for the text of an error.
func names(services []service) []string {
	var list []string
	for _, s := range services[:min(len(services), maxNames)] {
		name := s.name[:min(len(s.name), maxNameBytes)]
		if !strings.HasPrefix(name, "grpc.") {
			list = append(list, strings.ToValidUTF8(name, ""))
		}
	}
	return list
}
