// Command buildtemporald builds the temporald program, unless it was built before, and prints its path. It is run from
// the root of the source tree. Its progress goes to standard error.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/curbstop/curbstop/devstack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	path, err := devstack.BuildTemporald(ctx, filepath.Join("devstack", "temporald"), func(line string) {
		fmt.Fprintln(os.Stderr, line)
	})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "buildtemporald:", err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, path)
}
