package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/exgate/exgate/cmd/exgate/internal/config"
	"github.com/exgate/exgate/cmd/exgate/internal/service"
	"github.com/exgate/exgate/connectors/mqtt"
)

// resendTimeout bounds the resending of one message.
const resendTimeout = 30 * time.Second

func newSpool() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spool",
		Short: "List messages that the broker refused, and resend or delete them",
		Long: `A broker may close the connection because of a message that has already been acknowledged to a device
from upstream.spool. The gateway then moves the message to the folder "refused" below upstream.spool.folder, one file
per message. These commands list such messages, publish them again with the gateway's own account, or delete them. The
gateway may be running.`,
		Args: subcommandOnly,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSpoolList(), newSpoolResend(), newSpoolDrop())
	return cmd
}

func newSpoolList() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "list", Short: "List the refused messages", Example: "  exgate spool list -c exgate.yaml",
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, messages, err := refusedMessages(cmd, file, nil)
			if err != nil && messages == nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tPUBLISHED\tCLIENT ID\tTOPIC\tBYTES\tREASON")
			for _, m := range messages {
				fmt.Fprintf(w, "%s\t%s\t%q\t%.60q\t%d\t%q\n", m.ID, m.At.Format(time.RFC3339), m.ClientID, m.Topic,
					len(m.Payload), m.Reason)
			}
			return errors.Join(w.Flush(), err)
		},
	}
	addConfigFlags(cmd, &file)
	return cmd
}

func newSpoolResend() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "resend ID...", Short: "Publish refused messages again, and delete those that the broker accepts",
		Example: "  exgate spool resend -c exgate.yaml 1764513600000",
		Args:    arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, ids []string) error {
			cfg, messages, err := refusedMessages(cmd, file, ids)
			if err != nil {
				return err
			}
			upstream, err := service.Upstream(cfg)
			if err != nil {
				return err
			}
			for _, m := range messages {
				if err := resend(cmd.Context(), upstream, m); err != nil {
					return fmt.Errorf("resending %s: %w", m.ID, err)
				}
				if err := mqtt.DropRefused(cfg.Upstream.Spool.Folder, m.ID); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "sent", m.ID)
			}
			return nil
		},
	}
	addConfigFlags(cmd, &file)
	return cmd
}

func resend(ctx context.Context, upstream mqtt.Config, m mqtt.Refused) error {
	ctx, cancel := context.WithTimeout(ctx, resendTimeout)
	defer cancel()
	return mqtt.ResendRefused(ctx, upstream, m)
}

func newSpoolDrop() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "drop ID...", Short: "Delete refused messages",
		Example: "  exgate spool drop -c exgate.yaml 1764513600000",
		Args:    arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, ids []string) error {
			cfg, messages, err := refusedMessages(cmd, file, ids)
			if err != nil {
				return err
			}
			for _, m := range messages {
				if err := mqtt.DropRefused(cfg.Upstream.Spool.Folder, m.ID); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "dropped", m.ID)
			}
			return nil
		},
	}
	addConfigFlags(cmd, &file)
	return cmd
}

// refusedMessages returns the refused messages in the configured spool with these IDs, each once, or all of them if ids
// is nil. If some could not be read, it returns the others with an error.
func refusedMessages(cmd *cobra.Command, file string, ids []string) (*config.Config, []mqtt.Refused, error) {
	cfg, err := load(cmd, file)
	if err != nil {
		return nil, nil, err
	}
	if cfg.Upstream.Spool.Folder == "" {
		return nil, nil, errors.New("no spool: upstream.spool.folder is not set")
	}
	all, err := mqtt.ListRefused(cfg.Upstream.Spool.Folder)
	if ids == nil {
		return cfg, all, err
	}
	var list []mqtt.Refused
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		i := slices.IndexFunc(all, func(m mqtt.Refused) bool { return m.ID == id })
		if i < 0 {
			return nil, nil, errors.Join(fmt.Errorf("no refused message has the ID %q; see exgate spool list",
				id), err)
		}
		list = append(list, all[i])
	}
	return cfg, list, nil
}
