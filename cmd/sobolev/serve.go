package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"
	"sobolev/dashboard"
	"sobolev/rundir"
	"sobolev/sweep/slurm"
)

type serveOptions struct {
	addr string
}

func newServeCommand() *cobra.Command {
	var opt serveOptions
	cmd := &cobra.Command{
		Use:   "serve DIR...",
		Short: "Show runs in a browser while they go on",
		Long: `serve shows an index of the runs, the report page of each with its progress, a page for every point, and their files.
A DIR is a run directory or a folder of some; runs that begin later appear by themselves. It only reads, and ends with Ctrl-C.

It answers this machine alone. With another --addr, such as 0.0.0.0:8080, it wants a token, which is part of the address
that it prints; what is sent is not encrypted then. A tunnel (ssh -L 8080:localhost:8080 HOST) needs neither.`,
		Example: "  sobolev serve runs\n  sobolev serve runs/quickstart runs/fmnist-lr --addr 127.0.0.1:9000",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(fmt.Errorf("%s takes run directories or folders of some. See %s --help", cmd.CommandPath(), cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return serve(cmd.Context(), args, opt, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&opt.addr, "addr", "127.0.0.1:8080", "address and port to listen at; port 0 takes a free one")
	return cmd
}

// serve is the serve command. Ctrl-C is its regular end.
func serve(ctx context.Context, folders []string, opt serveOptions, stdout io.Writer) error {
	local, err := isLocal(opt.addr)
	if err != nil {
		return usage(err)
	}
	options := dashboard.Options{Logs: slurmLogs}
	if !local {
		options.Token = rand.Text()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listener, err := net.Listen("tcp", opt.addr)
	if err != nil {
		return fmt.Errorf("cannot listen at %s: %w; choose another with --addr, such as 127.0.0.1:0 for a free port", opt.addr, err)
	}
	defer listener.Close()
	handler, err := dashboard.New(ctx, folders, options)
	if err != nil {
		return err
	}
	defer handler.Wait()
	defer cancel()
	fmt.Fprintf(stdout, "%s at %s (Ctrl-C ends)\n", runs(handler.Runs()), handler.Address(listener.Addr()))
	return handler.Serve(ctx, listener)
}

// slurmLogs names the logs of a run's tasks on Slurm. What cannot be read has none.
func slurmLogs(path string) map[string]string {
	dir, err := rundir.Open(path)
	if err != nil {
		return nil
	}
	submissions, err := slurm.ReadSubmissions(dir)
	if err != nil {
		return nil
	}
	return submissions.LogFiles()
}

func runs(n int) string {
	if n == 1 {
		return "1 run"
	}
	return fmt.Sprintf("%d runs", n)
}

// isLocal says whether only this machine reaches the address. A host's name must be
// localhost, or have a token: what it stands for may change.
func isLocal(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("--addr %q: %w; give a host and a port, such as 127.0.0.1:8080", addr, err)
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback(), nil
}
