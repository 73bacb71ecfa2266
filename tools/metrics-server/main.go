// metrics-server as its own main package starts it, but for one refusal: it may look at the nodes more often than every ten
// seconds. Where the autoscaler's periods are shortened for a test, that of the figures it goes by has to be as well.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"

	"sigs.k8s.io/metrics-server/cmd/metrics-server/app/options"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "metrics-server:", err)
		os.Exit(1)
	}
}

func run() error {
	logs.InitLogs()
	defer logs.FlushLogs()
	opts := options.NewOptions()
	flags := pflag.NewFlagSet("metrics-server", pflag.ContinueOnError)
	for _, each := range opts.Flags().FlagSets {
		flags.AddFlagSet(each)
	}
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	for _, err := range append(opts.KubeletClient.Validate(), opts.GenericServerRunOptions.Validate()...) {
		return err
	}
	if err := logsapi.ValidateAndApply(opts.Logging, nil); err != nil {
		return err
	}
	config, err := opts.ServerConfig()
	if err != nil {
		return err
	}
	server, err := config.Complete()
	if err != nil {
		return err
	}
	return server.RunUntil(genericapiserver.SetupSignalHandler())
}
