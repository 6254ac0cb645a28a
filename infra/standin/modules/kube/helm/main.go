// Command helm is Helm. Called as klipper-helm it is what the helm-controller's Jobs run: it installs, upgrades or uninstalls
// one chart, as the environment of the Job says. It does so the way K3s's own job image does (github.com/k3s-io/klipper-helm),
// and shows each helm command before it runs it, so that the log of such a Job reads alike.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	helm "helm.sh/helm/v4/pkg/cmd"
)

const authority = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"

func main() {
	if filepath.Base(os.Args[0]) != "klipper-helm" {
		if err := run(os.Stdout, os.Args[1:]); err != nil {
			os.Exit(1)
		}
		return
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM) // a helm that is interrupted leaves a release nobody can go on with
	os.Setenv("SSL_CERT_FILE", authority)          // charts come from this cluster's own API server
	notes, err := os.OpenFile("/dev/termination-log", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		notes = os.Stderr
	}
	job := job{environment: os.Getenv, helm: run, notes: notes, log: os.Stdout}
	if err := job.run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
}

// run is one helm command; helm itself says what went wrong.
func run(output io.Writer, args []string) error {
	command, err := helm.NewRootCmd(output, args, helm.SetupLogging)
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return err
	}
	command.SetArgs(args)
	return command.Execute()
}
