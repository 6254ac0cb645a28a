// Command kube is the Kubernetes part of the K3s stand-in.
//
// "kube kubectl …" (or argv[0] kubectl) is kubectl. "kube node" is a whole Kubernetes node in one process, as in K3s:
// it reads one JSON object per line from standard input and starts the component that it names.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/cli"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // build info metric
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	manageroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// components run until they fail. Those whose command installs a signal handler are run below their command, because
// a process may install only one; the kubelet keeps its own.
var components = map[string]func(ctx context.Context, args []string) error{
	"kube-apiserver":          runAPIServer,
	"kube-controller-manager": runControllerManager,
	"kube-scheduler":          runScheduler,
	"kube-proxy": func(ctx context.Context, args []string) error {
		<-apiReady
		return runCommand(ctx, proxy.NewProxyCommand(), args)
	},
	"kubelet": func(ctx context.Context, args []string) error {
		return runCommand(ctx, kubelet.NewKubeletCommand(ctx), args)
	},
	"helm-crds":       runHelmCRDs,
	"helm-controller": runHelmController,
}

// apiReady is closed when the API server may be used. What a component can make before then, it makes before: its keys
// above all, while the API server waits for its datastore.
var apiReady = make(chan struct{})

func main() {
	name := filepath.Base(os.Args[0])
	if name != "kubectl" && len(os.Args) > 1 {
		os.Args = os.Args[1:]
		name = os.Args[0]
	}
	switch name {
	case "kubectl":
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			kubectlutil.CheckErr(err)
		}
	case "node":
		os.Exit(node(context.Background()))
	default:
		fmt.Fprintf(os.Stderr, "kube: nothing here is called %q\n", name)
		os.Exit(2)
	}
}

// order is one line of standard input: a component to start with its flags, the news that the API server is ready, or a
// change of the garbage collector's pace.
type order struct {
	Component string
	Args      []string
	APIReady  bool
	GCPercent int
}

// node starts components as told and ends with the first that ends, or with its input: K3s's parts, too, live and die together.
func node(ctx context.Context) int {
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged // each component sets up the one logger
	ended := make(chan error)
	go func() {
		lines := bufio.NewReader(os.Stdin)
		decoder := json.NewDecoder(lines)
		for {
			var next order
			if err := decoder.Decode(&next); err != nil {
				ended <- fmt.Errorf("end of input: %w", err)
				return
			}
			switch run, known := components[next.Component]; {
			case known:
				go func() { ended <- fmt.Errorf("%s ended: %v", next.Component, run(ctx, next.Args)) }()
			case next.APIReady:
				close(apiReady)
			case next.GCPercent != 0:
				debug.SetGCPercent(next.GCPercent)
			default:
				ended <- fmt.Errorf("no component is called %q", next.Component)
			}
		}
	}()
	err := <-ended
	fmt.Fprintln(os.Stderr, "kube node:", err)
	time.Sleep(10 * time.Millisecond) // let the last log lines out
	return 1
}

func runCommand(ctx context.Context, command *cobra.Command, args []string) error {
	command.SetArgs(args)
	return command.ExecuteContext(ctx)
}

// parse fills a component's options from its flags.
func parse(name string, flags cliflag.NamedFlagSets, args []string) error {
	all := pflag.NewFlagSet(name, pflag.ContinueOnError)
	all.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	for _, set := range flags.FlagSets {
		all.AddFlagSet(set)
	}
	if err := all.Parse(args); err != nil {
		return err
	}
	return compatibility.DefaultComponentGlobalsRegistry.Set()
}

func runAPIServer(ctx context.Context, args []string) error {
	options := apiserveroptions.NewServerRunOptions()
	if err := parse("kube-apiserver", options.Flags(), args); err != nil {
		return err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := options.Complete(ctx)
	if err != nil {
		return err
	}
	for _, err := range completed.Validate() {
		return err
	}
	return serveAPI(ctx, completed)
}

// serveAPI is apiserver.Run, with K3s's static files and its supervisor in front.
func serveAPI(ctx context.Context, options apiserveroptions.CompletedOptions) error {
	config, err := apiserver.NewConfig(options)
	if err != nil {
		return err
	}
	completed, err := config.Complete()
	if err != nil {
		return err
	}
	server, err := apiserver.CreateServerChain(completed)
	if err != nil {
		return err
	}
	handler := server.GenericAPIServer.Handler
	handler.FullHandlerChain = withStatic(withSupervisor(handler.FullHandlerChain))
	prepared, err := server.PrepareRun()
	if err != nil {
		return err
	}
	return prepared.Run(ctx)
}

func runControllerManager(ctx context.Context, args []string) error {
	options, err := manageroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	all, off, aliases := manager.KnownControllers(), manager.ControllersDisabledByDefault(), manager.ControllerAliases()
	flags := options.Flags(all, off, aliases)
	options.ParsedFlags = &flags
	if err := parse("kube-controller-manager", flags, args); err != nil {
		return err
	}
	config, err := options.Config(ctx, all, off, aliases)
	if err != nil {
		return err
	}
	<-apiReady
	return manager.Run(ctx, config.Complete())
}

func runScheduler(ctx context.Context, args []string) error {
	options := scheduleroptions.NewOptions()
	if err := parse("kube-scheduler", *options.Flags, args); err != nil {
		return err
	}
	config, sched, err := scheduler.Setup(ctx, options)
	if err != nil {
		return err
	}
	<-apiReady
	return scheduler.Run(ctx, config, sched)
}
