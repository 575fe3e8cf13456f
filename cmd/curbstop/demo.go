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
	"github.com/curbstop/curbstop/demo"
	"github.com/curbstop/curbstop/policy"
)

func demoCommand() *cobra.Command {
	var data string
	var once bool
	c := &cobra.Command{
		Use: "demo", Short: "run everything on this machine and play the staff on a real list of requests", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), data, once)
		},
	}
	c.Flags().StringVar(&data, "data", "", "data folder (CURBSTOP_DATA); the default is the demo's own")
	c.Flags().BoolVar(&once, "once", false, "end after the play instead of staying up")
	return c
}

// runDemo plays one compressed working day, says what happened and where to
// look, and stays up.
func runDemo(ctx context.Context, out io.Writer, data string, once bool) (err error) {
	dir, err := dataDirOr(data, "-demo")
	if err != nil {
		return err
	}
	c, err := configuration()
	if err != nil {
		return err
	}
	freeListen(ctx, &c)
	p := policy.Demo()
	c.Policy = &p
	// All customers of the play call from this machine.
	c.PublicPerMinute = 1_000_000
	began := time.Now()
	say := func(step string) { fmt.Fprintf(out, "[%4.0f 秒] %s\n", time.Since(began).Seconds(), step) }
	var platforms outside
	e, err := start(ctx, c, dir, say, func(e *embedded, c *service.Config) error { return platforms.meet(ctx, e, c, dir, say) })
	if err != nil {
		return err
	}
	defer func() {
		fmt.Fprintln(out, "正在停止 stopping")
		err = errors.Join(err, platforms.close())
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*closeTimeout)
		defer cancel()
		err = errors.Join(err, e.close(closing))
	}()
	say("就绪 ready")
	e.addresses(out)
	play, err := e.cast(ctx, say)
	if err != nil {
		return err
	}
	if err := platforms.begin(ctx, e, say); err != nil {
		return err
	}
	serving := e.serve(ctx, play)
	if err := errors.Join(e.perform(ctx, play, out), serving(), platforms.summary(ctx, play, out)); err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C in the middle of the play is no fault
		}
		return err
	}
	fmt.Fprintf(out, "\n数据 data          %s\n", dir)
	e.addresses(out)
	if err := e.tokens(out, play); err != nil {
		return err
	}
	if once {
		return nil
	}
	fmt.Fprintln(out, "\n系统保持运行，按 Ctrl-C 结束 up until Ctrl-C")
	return e.live(ctx)
}

// cast writes the staff and gives each role a token.
func (e *embedded) cast(ctx context.Context, say func(string)) (*demo.Play, error) {
	play := &demo.Play{Base: "http://" + e.Address, Tokens: map[casework.Role]string{},
		Say: func(format string, args ...any) { say(fmt.Sprintf(format, args...)) }}
	for _, m := range demo.Staff() {
		if err := putStaff(ctx, e.Service, m, ""); err != nil {
			return nil, err
		}
		if _, have := play.Tokens[m.Roles[0]]; have {
			continue
		}
		token, err := issue(e.Config, m.ID, 12*time.Hour)
		if err != nil {
			return nil, err
		}
		play.Tokens[m.Roles[0]] = token
	}
	return play, nil
}

func (e *embedded) perform(ctx context.Context, play *demo.Play, out io.Writer) error {
	_, err := play.Run(ctx)
	if err != nil {
		return err
	}
	if err := play.Await(ctx, time.Minute); err != nil {
		return err
	}
	return play.Summary(ctx, out)
}

// serve has the staff work off what platforms and customers ask beside the list,
// and gives the function that waits until they are through.
func (e *embedded) serve(ctx context.Context, play *demo.Play) func() error {
	last, through := make(chan struct{}), make(chan error, 1)
	go func() { through <- play.Services(ctx, last) }()
	return func() error {
		close(last)
		return <-through
	}
}

// tokens prints how to act as each role.
func (e *embedded) tokens(out io.Writer, play *demo.Play) error {
	fmt.Fprintln(out, "\n各角色令牌（12 小时有效）tokens, valid for 12 hours: Authorization: Bearer …")
	for _, m := range demo.Staff() {
		if token := play.Tokens[m.Roles[0]]; token != "" {
			fmt.Fprintf(out, "  %-16s %-9s %s\n    %s\n", m.Roles[0], m.ID, m.Roles[0].Name(), token)
			delete(play.Tokens, m.Roles[0])
		}
	}
	return nil
}
