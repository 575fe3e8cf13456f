package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/curbstop/curbstop/api"
	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/cmd/curbstop/service"
	"github.com/curbstop/curbstop/network"
)

func networkCommand() *cobra.Command {
	c := &cobra.Command{Use: "network", Short: "the register of mains"}
	c.AddCommand(importMainsCommand(), mainVersionsCommand())
	return c
}

func importMainsCommand() *cobra.Command {
	var dryRun, partial bool
	c := &cobra.Command{
		Use: "import FILE", Short: "bring a register of mains (CSV or GeoJSON) on record, whole or not at all", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			register, err := network.Read(file)
			if err != nil {
				return described(err)
			}
			return withService(cmd.Context(), func(ctx context.Context, s *service.Service) error {
				changes, err := s.Store.CompareMains(ctx, register, partial)
				if err != nil {
					return err
				}
				out := cmd.OutOrStdout()
				writeMainChanges(out, register, changes)
				if dryRun {
					_, err := fmt.Fprintln(out, "试运行，不作更改 dry run, nothing is changed")
					return err
				}
				v, err := s.Store.ImportMains(ctx, register, api.VersionOf(file, filepath.Base(args[0]), commandLine(), partial), rand.Text())
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(out, "管网登记第 %d 版已生效 version %[1]d of the register is in force: %[2]d 条管线 mains\n", v.N, v.Mains)
				return err
			})
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "change nothing; list what would be added, changed and removed")
	c.Flags().BoolVar(&partial, "partial", false, "the file has some mains only: those that it does not name stay")
	return c
}

func writeMainChanges(out io.Writer, r network.Register, changes []network.Change) {
	counts := map[string]int{}
	for _, c := range changes {
		counts[c.Kind()]++
	}
	for _, n := range r.Notes {
		fmt.Fprintln(out, n)
	}
	fmt.Fprintf(out, "文件 %d 条管线 mains；新增 added %d，变更 changed %d，移除 removed %d\n", len(r.Mains), counts["added"], counts["changed"], counts["removed"])
	signs := map[string]string{"added": "+", "changed": "~", "removed": "-"}
	for _, c := range changes {
		m := c.Main()
		fmt.Fprintf(out, "  %s %s %s  %s\n", signs[c.Kind()], m.Utility, m.ID, c.What())
	}
}

func mainVersionsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "versions", Short: "who imported which register and when, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withService(cmd.Context(), func(ctx context.Context, s *service.Service) error {
				for p := (casework.Page{Limit: 200}); ; {
					versions, next, err := s.Store.MainVersions(ctx, p)
					if err != nil {
						return err
					}
					for _, v := range versions {
						fmt.Fprintf(cmd.OutOrStdout(), "%4d  %s  %-14s %s  %v  %d (+%d ~%d -%d)\n",
							v.N, casework.Clock(v.ImportedAt), v.ImportedBy, v.File, v.Utilities, v.Mains, v.Added, v.Changed, v.Removed)
					}
					if next == "" {
						return nil
					}
					p.Cursor = next
				}
			})
		},
	}
}
