package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sobolev/presets"
)

func newPresetsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "presets [NAME]",
		Short: "List the presets, or print one as YAML",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(fmt.Errorf("presets takes one name at most; got %q", args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listPresets(cmd.OutOrStdout())
			}
			text, err := presets.Read(args[0])
			if err != nil {
				return usage(err)
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}

func listPresets(stdout io.Writer) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, name := range presets.Names() {
		text, err := presets.Read(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\n", name, presets.Title(text))
	}
	return w.Flush()
}
