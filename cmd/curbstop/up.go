package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/curbstop/curbstop/casework"
	"github.com/curbstop/curbstop/cmd/curbstop/service"
	"github.com/curbstop/curbstop/devstack"
)

// embedded is an installation with everything in one place: a private
// PostgreSQL and a Temporal server in the data folder, unless an address of
// either is configured, and the API and a worker in this process.
type embedded struct {
	*service.Service
	stack *devstack.Stack // nil where both are configured
	ui    string          // URL of the Temporal UI; empty on a foreign cluster that names none
}

// start brings everything up, telling each step. What is agreed with others
// before, meet does, once the stack is there; nil: nothing is.
func start(ctx context.Context, c service.Config, dataDir string, say func(string), meet func(*embedded, *service.Config) error) (_ *embedded, err error) {
	e := &embedded{ui: c.TemporalUIURL}
	defer func() {
		if err != nil {
			_ = e.close(context.WithoutCancel(ctx))
		}
	}()
	if err := e.startStack(ctx, &c, dataDir, say); err != nil {
		return nil, err
	}
	if meet != nil {
		if err := meet(e, &c); err != nil {
			return nil, err
		}
	}
	made, err := c.LocalKeys(dataDir)
	if err != nil {
		return nil, err
	}
	if c.BlobURL == "" {
		c.BlobURL = "file://" + filepath.Join(dataDir, "documents")
	}
	say("建表、登记命名空间 migrating")
	if err := service.Migrate(ctx, c, slog.Default()); err != nil {
		return nil, err
	}
	if e.Service, err = service.Open(ctx, c, slog.Default()); err != nil {
		return nil, err
	}
	if made {
		if err := e.refuseNewKeys(ctx, dataDir); err != nil {
			return nil, err
		}
	}
	if err := e.StartWorker(); err != nil {
		return nil, err
	}
	return e, e.StartAPI(ctx)
}

// refuseNewKeys ends a start that made new keys beside records sealed with
// others: the keys' file was lost, and only its backup opens what is there.
func (e *embedded) refuseNewKeys(ctx context.Context, dataDir string) error {
	cases, _, err := e.Store.Cases(ctx, casework.CaseFilter{Page: casework.Page{Limit: 1}})
	if err != nil || len(cases) == 0 {
		return err
	}
	return errors.Join(fmt.Errorf("%s 中已有案件，但密钥文件 %s 丢失：请从备份恢复 the data folder holds cases, but their keys are gone; restore the file from its backup",
		dataDir, service.KeysFile), service.DropKeys(dataDir))
}

func (e *embedded) startStack(ctx context.Context, c *service.Config, dataDir string, say func(string)) error {
	foreign := os.Getenv("TEMPORAL_ADDRESS") != "" || os.Getenv("TEMPORAL_PROFILE") != ""
	if foreign && c.DatabaseURL != "" {
		if err := os.MkdirAll(dataDir, 0o700); err != nil {
			return fmt.Errorf("the data folder: %w", err)
		}
		return nil
	}
	stack, err := devstack.Start(ctx, devstack.Options{DataDir: dataDir, PostgresOnly: foreign, Logger: slog.Default(), Progress: say})
	if err != nil {
		return err
	}
	e.stack = stack
	if c.DatabaseURL == "" {
		c.DatabaseURL = stack.PostgresURL("curbstop")
	}
	if !foreign {
		c.TemporalAddress = stack.TemporalAddress
		e.ui = "http://" + stack.UIAddress
		if c.TemporalUIURL == "" {
			c.TemporalUIURL = e.ui
		}
	}
	return nil
}

// live waits until it is told to stop, or a part of the stack has died.
func (e *embedded) live(ctx context.Context) error {
	if e.stack == nil {
		<-ctx.Done()
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-e.stack.Done():
		return err
	}
}

func (e *embedded) close(ctx context.Context) error {
	var errs []error
	if e.Service != nil {
		errs = append(errs, e.Service.Close(ctx))
	}
	if e.stack != nil {
		errs = append(errs, e.stack.Close(ctx))
	}
	return errors.Join(errs...)
}

// dataDir is the folder that was asked for, or the default with a suffix.
func dataDirOr(given, suffix string) (string, error) {
	if given == "" {
		given = os.Getenv("CURBSTOP_DATA")
	}
	if given == "" {
		d, err := devstack.DefaultDataDir()
		if err != nil {
			return "", err
		}
		given = d + suffix
	}
	return filepath.Abs(given)
}

// freeListen gives the configured address, or the default one, or where that is
// taken any free port of this machine.
func freeListen(ctx context.Context, c *service.Config) {
	if os.Getenv("CURBSTOP_LISTEN") != "" {
		return
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", service.DefaultListen)
	if err != nil {
		c.Listen = "127.0.0.1:0"
		return
	}
	_ = l.Close()
}

func upCommand() *cobra.Command {
	var data string
	c := &cobra.Command{
		Use: "up", Short: "run everything on this machine: PostgreSQL, Temporal, its UI, API and worker", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return up(cmd.Context(), cmd.OutOrStdout(), data) },
	}
	c.Flags().StringVar(&data, "data", "", "data folder (CURBSTOP_DATA)")
	return c
}

func up(ctx context.Context, out io.Writer, data string) error {
	dir, err := dataDirOr(data, "")
	if err != nil {
		return err
	}
	c, err := configuration()
	if err != nil {
		return err
	}
	freeListen(ctx, &c)
	e, err := start(ctx, c, dir, func(step string) { fmt.Fprintln(out, "  "+step) }, nil)
	if err != nil {
		return err
	}
	err = e.greet(ctx, out, dir)
	if err == nil {
		err = e.live(ctx)
	}
	fmt.Fprintln(out, "正在停止 stopping")
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*closeTimeout)
	defer cancel()
	return errors.Join(err, e.close(closing))
}

// greet says where everything is and, at the first start, who may log in.
func (e *embedded) greet(ctx context.Context, out io.Writer, dir string) error {
	fmt.Fprintf(out, "\n数据 data          %s\n", dir)
	e.addresses(out)
	staff, _, err := e.Store.StaffList(ctx, casework.Page{Limit: 1})
	if err != nil || len(staff) > 0 {
		return err
	}
	first := casework.Staff{
		ID: "office-01", Name: "专班办公室", Department: casework.Department(casework.Taskforce),
		Roles:     []casework.Role{casework.TaskforceOffice, casework.Taskforce},
		Districts: []casework.District{casework.AllDistricts}, Active: true,
	}
	password := rand.Text()
	if err := putStaff(ctx, e.Service, first, password); err != nil {
		return err
	}
	fmt.Fprintf(out, "首个账号 first account  %s  密码 password  %s\n", first.ID, password)
	fmt.Fprintln(out, "（只显示这一次；登录 POST /v1/sessions，再用 PUT /v1/staff/{id} 建其他账号 shown only once）")
	return nil
}

func (e *embedded) addresses(out io.Writer) {
	base := "http://" + e.Address
	fmt.Fprintf(out, "接口 API           %s\n", base)
	fmt.Fprintf(out, "接口文档 API docs   %s/docs\n", base)
	if e.ui != "" {
		fmt.Fprintf(out, "Temporal UI        %s\n", e.ui)
		for _, v := range savedViews(e.ui, e.Namespace, time.Now()) {
			fmt.Fprintf(out, "  %s\n    %s\n", v.name, v.url)
		}
	}
}
