package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// platformCommand looks at who sends us messages. It needs the senders' file
// and the secrets that it names, and nothing else.
func platformCommand() *cobra.Command {
	check := &cobra.Command{
		Use: "check [FILE]", Short: "read a senders' file and show what is understood of it, without secrets; without a name the configured one", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := configuration()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				c.SendersFile = args[0]
			}
			all, err := c.Senders()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "来件方 senders: %d\n", len(all.All()))
			for _, line := range all.Describe() {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			return nil
		},
	}
	c := &cobra.Command{Use: "platform", Short: "government platforms and other systems that send us messages"}
	c.AddCommand(check)
	return c
}
