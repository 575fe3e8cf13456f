package devstack

import (
	"os"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The steps share one stack, because each start of the server takes seconds.
func TestTemporalServer(t *testing.T) {
	t.Parallel()
	path, err := FindTemporald(t.Context(), func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	o := Options{DataDir: dataDir(t), Ephemeral: true, TemporaldPath: path}
	const namespace = "kept"

	first := startAll(t, o)
	if _, err := frontend(t, first).RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace:                        namespace,
		WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
	closeStack(t, first)

	second := startAll(t, o)
	if second.TemporalAddress != first.TemporalAddress || second.UIAddress != first.UIAddress {
		t.Errorf("the addresses changed with the restart: %s %s, were %s %s",
			second.TemporalAddress, second.UIAddress, first.TemporalAddress, first.UIAddress)
	}
	if _, err := frontend(t, second).DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: namespace}); err != nil {
		t.Errorf("the namespace is gone after the restart: %v", err)
	}

	if err := second.temporald.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-second.Done():
		if err == nil || !strings.Contains(err.Error(), "temporald ended by itself") {
			t.Errorf("got %v on Done, want the death of temporald", err)
		}
	case <-t.Context().Done():
		t.Fatal("Done did not report the death of temporald")
	}
}

func TestBuildIsDoneOnce(t *testing.T) {
	t.Parallel()
	first, built := build(t)
	second, found := build(t)
	if first != second || !os.SameFile(built, found) || !built.ModTime().Equal(found.ModTime()) {
		t.Errorf("%s of %s was built again as %s of %s", first, built.ModTime(), second, found.ModTime())
	}
}

func build(t *testing.T) (string, os.FileInfo) {
	t.Helper()
	path, err := BuildTemporald(t.Context(), "temporald", nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, info
}

func startAll(t *testing.T, o Options) *Stack {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStack(t, s) })
	return s
}

func frontend(t *testing.T, s *Stack) workflowservice.WorkflowServiceClient {
	t.Helper()
	connection, err := grpc.NewClient(s.TemporalAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return workflowservice.NewWorkflowServiceClient(connection)
}
