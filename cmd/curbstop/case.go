package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/cmd/curbstop/service"
)

func caseCommand() *cobra.Command {
	c := &cobra.Command{Use: "case", Short: "repair cases"}
	c.AddCommand(restartCase())
	return c
}

func restartCase() *cobra.Command {
	var all, dry bool
	c := &cobra.Command{
		Use: "restart [NUMBER …]", Short: "start open cases that have no workflow again, with their state in the database",
		RunE: func(cmd *cobra.Command, args []string) error {
			if all != (len(args) == 0) {
				return errors.New("请写明案件编号，或用 --all name the cases, or say --all")
			}
			return withService(cmd.Context(), func(ctx context.Context, s *service.Service) error {
				return restart(ctx, s, args, dry, cmd.OutOrStdout())
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all open cases that have none")
	c.Flags().BoolVar(&dry, "dry-run", false, "only say which have none")
	return c
}

// restart starts the named cases again, or every open one that has no workflow.
func restart(ctx context.Context, s *service.Service, numbers []string, dry bool, out io.Writer) error {
	var failed []error
	for _, number := range numbers {
		failed = append(failed, restartOne(ctx, s, number, dry, true, out))
	}
	for cursor := ""; len(numbers) == 0; {
		lines, next, err := s.Store.Cases(ctx, casework.CaseFilter{Running: true, Page: casework.Page{Limit: 200, Cursor: cursor}})
		if err != nil {
			return err
		}
		for _, line := range lines {
			failed = append(failed, restartOne(ctx, s, line.Number, dry, false, out))
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return errors.Join(failed...)
}

// restartOne starts a case again. One that was not named is passed over where it
// needs no start.
func restartOne(ctx context.Context, s *service.Service, number string, dry, named bool, out io.Writer) error {
	switch err := s.Desk.Restart(ctx, number, true); {
	case err != nil && !named && casework.AsFault(err).Kind == casework.Conflict:
		return nil
	case err != nil:
		return described(fmt.Errorf("%s: %w", number, err))
	case dry:
		_, err = fmt.Fprintf(out, "%s 没有工作流，将重启 has no workflow and would be started\n", number)
		return err
	}
	if err := s.Store.Audit(ctx, casework.AuditEntry{At: time.Now(), Actor: byCommandLine, What: "case_restarted", Target: number}); err != nil {
		return err
	}
	if err := s.Desk.Restart(ctx, number, false); err != nil {
		return described(fmt.Errorf("%s: %w", number, err))
	}
	_, err := fmt.Fprintf(out, "%s 已重启 started\n", number)
	return err
}
