package main

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbstop/curbstop/notify"
)

// notifyCommand looks at the outlets and tries them. It needs their file and
// the secrets that it names, and nothing else.
func notifyCommand() *cobra.Command {
	configured := func() (*notify.Outlets, error) {
		c, err := configuration()
		if err != nil {
			return nil, err
		}
		return c.Outlets(slog.Default())
	}
	outlets := &cobra.Command{
		Use: "outlets", Short: "list the outlets through which messages go out, without secrets", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := configured()
			if err != nil {
				return err
			}
			for _, line := range all.Describe() {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			return nil
		},
	}
	var to []string
	test := &cobra.Command{
		Use: "test OUTLET", Short: "send a test message through an outlet and show what was sent", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := configured()
			if err != nil {
				return err
			}
			outlet, ok := all.Find(args[0])
			if !ok {
				return fmt.Errorf("没有通道 %[1]s；已配置：%[2]s no outlet is called %[1]s; there are: %[2]s", args[0], strings.Join(all.Names(), "、"))
			}
			sent, err := outlet.Send(cmd.Context(), notify.Test(time.Now(), to...))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "已发送 sent\n%s\n", sent.Text)
			if len(sent.To) > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "收件人 to：%s\n", strings.Join(sent.To, "、"))
			}
			if sent.Answer != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "应答 answer：%s\n", sent.Answer)
			}
			return nil
		},
	}
	test.Flags().StringSliceVar(&to, "to", nil, "mail address to write to; may be repeated; only for smtp")
	c := &cobra.Command{Use: "notify", Short: "the outlets through which messages go out"}
	c.AddCommand(outlets, test)
	return c
}
