package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbstop/curbstop/platforms/sim"
)

// platformSim is what the command line asks of the stand-in.
type platformSim struct {
	options sim.Options
	senders string
	most    time.Duration
	stay    bool
	secrets bool
	example bool
}

func platformSimCommand() *cobra.Command {
	p := platformSim{options: sim.Options{Getenv: os.Getenv, Shares: sim.DemoShares()}}
	c := &cobra.Command{
		Use: "platform-sim", Short: "扮演各平台 play the platforms outside: push, send twice and garbage, refuse, time out, and judge the answers", Args: cobra.NoArgs,
		Long: "扮演各政务平台，向本机的 curbstop 推送报装、重复、乱序、乱码与伪造的消息，接收进展回告并时而拒收或超时，兼作计费系统和线上自助的客户，最后自行评判。\n" +
			"Plays the platforms that send requests and are told of their progress, the billing system and customers, against an API on this machine, and judges by itself. " +
			"It ends with a failure if anything was lost, taken up twice, waved through, or told out of order.",
		Example: `  curbstop platform-sim --secrets > secrets.sh     # fresh secrets for both sides
  curbstop platform-sim --senders-example > senders.yaml
  curbstop platform-sim --requests 50 --rate 10 --for 2m --exchange "$CURBSTOP_EXCHANGE_URL"`,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	flags := c.Flags()
	flags.Uint64Var(&p.options.Seed, "seed", 0, "the same seed sends the same; 0: from the clock")
	flags.IntVar(&p.options.Requests, "requests", 20, "how many requests, over all platforms")
	flags.Float64Var(&p.options.Rate, "rate", 5, "requests a second; 0: as fast as they are answered")
	flags.DurationVar(&p.most, "for", time.Minute, "how long to wait, after all was sent, until it is settled and told")
	flags.BoolVar(&p.stay, "stay", false, "go on being told until Ctrl-C, and judge then")
	flags.StringVar(&p.options.Target, "target", "http://127.0.0.1:8080", "the API; on this machine only")
	flags.StringVar(&p.senders, "senders", os.Getenv("CURBSTOP_SENDERS"), "the senders' file that the API has (CURBSTOP_SENDERS); the stand-in's own where empty")
	flags.StringVar(&p.options.Exchange, "exchange", os.Getenv("CURBSTOP_EXCHANGE_URL"), "URL of the exchange database (CURBSTOP_EXCHANGE_URL); its tables are made where they are missing")
	flags.StringVar(&p.options.Listen, "listen", "127.0.0.1:8790", "where the platforms are told; GET /ledger there shows everything")
	flags.IntVar(&p.options.Customers, "customers", 12, "customers who act by themselves through the public API, on the WeChat account, the mini program and the company's site")
	flags.Float64Var(&p.options.BillingFaults, "billing-faults", 0.15, "share of what is asked of the billing system that goes wrong: down, done and the answer lost, rubbish, refused")
	flags.StringSliceVar(&p.options.Serves, "serves", nil, "utilities that are asked for; water and gas where empty")
	flags.StringSliceVar(&p.options.Without, "without", nil, "IDs of senders that are not played")
	flags.BoolVar(&p.secrets, "secrets", false, "print fresh secrets for the senders' file and the billing system, and what else both sides need, and end")
	flags.BoolVar(&p.example, "senders-example", false, "print the stand-in's own senders' file and end")
	s := &p.options.Shares
	for _, share := range []struct {
		value *float64
		name  string
		usage string
	}{
		{&s.Duplicate, "duplicate", "share of requests that are sent twice"},
		{&s.OutOfOrder, "out-of-order", "share before which something comes that belongs behind"},
		{&s.Garbage, "garbage", "share that nobody can understand"},
		{&s.Late, "late", "share outside the clock's window"},
		{&s.Forged, "forged", "share with a wrong signature"},
		{&s.Failed, "failed", "share of reports to us that get 500"},
		{&s.Busy, "busy", "share of reports that get 429"},
		{&s.Refused, "refused", "share of reports that are refused in the platform's words"},
		{&s.TimedOut, "timed-out", "share of reports that are taken and not answered"},
	} {
		flags.Float64Var(share.value, share.name, *share.value, share.usage)
	}
	return c
}

func (p *platformSim) run(ctx context.Context, out io.Writer) error {
	p.options.Senders = sim.DemoSenders(p.options.Listen)
	if p.example {
		_, err := out.Write(p.options.Senders)
		return err
	}
	if p.senders != "" {
		var err error
		if p.options.Senders, err = os.ReadFile(p.senders); err != nil {
			return fmt.Errorf("来件方文件 the senders' file: %w", err)
		}
	}
	if p.secrets {
		return printSecrets(out, p.options.Senders, p.options.Listen)
	}
	// Who asks another billing system does not ask the stand-in's.
	if strings.TrimSuffix(os.Getenv("CURBSTOP_BILLING_URL"), "/") == sim.BillingURL(p.options.Listen) {
		p.options.BillingToken = os.Getenv("CURBSTOP_BILLING_TOKEN")
	}
	w, err := sim.Open(ctx, p.options)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	fmt.Fprintf(out, "替身在 the stand-in is at http://%s，账本 ledger http://%[1]s/ledger，种子 seed %d\n", w.Address(), w.Seed())
	if w.Billing() == nil {
		fmt.Fprintf(out, "未扮演计费系统：CURBSTOP_BILLING_URL 应为 %s，并设 CURBSTOP_BILLING_TOKEN no billing system is played: CURBSTOP_BILLING_URL must be %[1]s, with CURBSTOP_BILLING_TOKEN\n", sim.BillingURL(w.Address()))
	}
	if err := p.play(ctx, w); err != nil && ctx.Err() == nil {
		return err
	}
	w.Print(out)
	if !w.Judge().Held() {
		return errors.New("有未做到的，见上 not everything held; see above")
	}
	return nil
}

func (p *platformSim) play(ctx context.Context, w *sim.World) error {
	if err := w.Play(ctx); err != nil {
		return err
	}
	if p.stay {
		<-ctx.Done()
		return nil
	}
	return w.Await(ctx, p.most)
}

// publicCalls are how many calls a minute the customers of the stand-in may
// make, who all come from one address.
const publicCalls = 6000

func printSecrets(out io.Writer, senders []byte, listen string) error {
	secrets, err := sim.Secrets(senders)
	if err != nil {
		return err
	}
	secrets["CURBSTOP_BILLING_URL"], secrets["CURBSTOP_BILLING_TOKEN"] = sim.BillingURL(listen), rand.Text()
	secrets["CURBSTOP_PUBLIC_PER_MINUTE"] = strconv.Itoa(publicCalls)
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		fmt.Fprintf(out, "export %s='%s'\n", name, secrets[name])
	}
	return nil
}
