// Command curbstop carries requests for water and gas from first contact to a
// working, read meter, and past it to the customer's verdict. `curbstop help`
// lists what it does; docs/runbook.md explains how it is run.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build of a release; otherwise the commit says it.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "curbstop:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use: "curbstop", Short: "用水用气报装 water and gas connections, from request to verdict",
		Version: buildVersion(), SilenceUsage: true, SilenceErrors: true,
	}
	verbose := root.PersistentFlags().BoolP("verbose", "v", false, "also log what goes well")
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		level := slog.LevelInfo
		switch {
		case *verbose:
			level = slog.LevelDebug
		case cmd.Name() == "demo" || cmd.Name() == "up":
			level = slog.LevelWarn // their own lines tell what goes well
		}
		slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
	}
	root.AddCommand(upCommand(), demoCommand(), apiCommand(), workerCommand(), migrateCommand(),
		healthCommand(), caseCommand(), staffCommand(), tokenCommand(), policyCommand(), calendarCommand(), networkCommand(), notifyCommand(), platformCommand(), simulateCommand())
	root.AddCommand(platformSimCommand())
	return root
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return "devel"
}
