package devstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

const (
	temporaldRecord = "temporald.process"
	// frontendService is the name under which the frontend reports its health.
	frontendService = "temporal.api.workflowservice.v1.WorkflowService"
	// probeTimeout bounds one look at the server's health.
	probeTimeout = 2 * time.Second
)

// temporaldStop asks the server to hand over its work and end. Killing it loses nothing either, because everything it
// knows is in PostgreSQL; it only leaves open requests without an answer.
var temporaldStop = stopSignals{ask: syscall.SIGTERM, force: syscall.SIGKILL}

// startTemporald runs the Temporal server and its UI on the cluster.
func startTemporald(f *folder, path string, p ports, password string, o Options) (*process, error) {
	// Without a context, because the server outlives that of its start.
	cmd := exec.Command(path,
		"-postgres-host", loopback,
		"-postgres-port", strconv.Itoa(p.Postgres),
		"-postgres-user", role,
		"-frontend-port", strconv.Itoa(p.Frontend),
		"-history-port", strconv.Itoa(p.History),
		"-matching-port", strconv.Itoa(p.Matching),
		"-worker-port", strconv.Itoa(p.Worker),
		"-ui-port", strconv.Itoa(p.UI),
		"-shards", strconv.Itoa(o.Shards),
		"-codec-endpoint", o.CodecEndpoint,
		"-dynamic-config", o.DynamicConfigFile,
	)
	cmd.Env = append(os.Environ(), "TEMPORALD_POSTGRES_PASSWORD="+password)
	return startProcess("temporald", cmd, f.file("temporald.log"), f.file(temporaldRecord), temporaldStop)
}

// awaitTemporald returns when the frontend reports that it serves and the UI answers. An open port is not enough: the
// frontend listens some time before it has found the other services.
func awaitTemporald(ctx context.Context, p *process, at ports) error {
	connection, err := grpc.NewClient(address(at.Frontend),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// The default waits a second and more between attempts, which would show in every start.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: pollInterval, Multiplier: 1, MaxDelay: pollInterval},
			MinConnectTimeout: probeTimeout,
		}))
	if err != nil {
		return err
	}
	defer connection.Close()
	health := grpc_health_v1.NewHealthClient(connection)

	var last error
	err = poll(ctx, func() bool {
		select {
		case <-p.exited:
			return true
		default:
		}
		probe, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		if last = frontendServes(probe, health); last == nil {
			last = uiAnswers(probe, at.UI)
		}
		return last == nil
	})
	select {
	case <-p.exited:
		return p.deathError()
	default:
	}
	if err != nil {
		return fmt.Errorf("the Temporal server does not become ready: %w", errors.Join(err, last))
	}
	return nil
}

func frontendServes(ctx context.Context, health grpc_health_v1.HealthClient) error {
	response, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: frontendService})
	if err != nil {
		return err
	}
	if response.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("the frontend reports %s", response.GetStatus())
	}
	return nil
}

func uiAnswers(ctx context.Context, port int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address(port)+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the web UI answers %s", response.Status)
	}
	return nil
}
