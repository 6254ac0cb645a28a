package main

import (
	"context"
	"os"
	"time"

	"github.com/k3s-io/helm-controller/pkg/config"
	"github.com/k3s-io/helm-controller/pkg/controllers"
	"github.com/k3s-io/helm-controller/pkg/crds"
	"github.com/rancher/wrangler/v3/pkg/crd"
	"github.com/spf13/pflag"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/client-go/tools/clientcmd"
)

const crdsReadyWithin = time.Minute

// runHelmCRDs makes the kinds HelmChart and HelmChartConfig known to the cluster.
func runHelmCRDs(ctx context.Context, args []string) error {
	kubeconfig, _, err := helmFlags(args)
	if err != nil {
		return err
	}
	<-apiReady
	rest, err := kubeconfig.ClientConfig()
	if err != nil {
		return err
	}
	client, err := clientset.NewForConfig(rest)
	if err != nil {
		return err
	}
	kinds, err := crds.List()
	if err != nil {
		return err
	}
	err = crd.BatchCreateCRDs(ctx, client.ApiextensionsV1().CustomResourceDefinitions(), nil, crdsReadyWithin, kinds)
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// runHelmController installs what HelmCharts ask for. The supervisor starts it with the first HelmChart: its caches of
// Secrets, ConfigMaps and Jobs are memory that a cluster without charts need not spend.
func runHelmController(ctx context.Context, args []string) error {
	kubeconfig, options, err := helmFlags(args)
	if err != nil {
		return err
	}
	// There is one server. Without this a lease that is renewed late, on a busy computer, would end the whole node.
	os.Setenv("CATTLE_DEV_MODE", "true")
	if err := controllers.Register(ctx, "", "helm-controller", kubeconfig, options); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func helmFlags(args []string) (clientcmd.ClientConfig, *config.Controller, error) {
	flags := pflag.NewFlagSet("helm-controller", pflag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	options := &config.Controller{Threadiness: 2, JobClusterRole: "cluster-admin"}
	flags.StringVar(&options.DefaultJobImage, "job-image", "", "what Jobs run")
	flags.StringVar(&options.NodeName, "node-name", "", "this node")
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: *kubeconfig}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil), options, nil
}
