// Command controlplane is a Kubernetes control plane in one process: etcd, kube-apiserver and kube-controller-manager,
// linked from their Go modules. The tests start it where no cluster is to be had; it is real, only its node is not.
//
//	controlplane etcd --data-dir DIR --client URL --peer URL
//	controlplane apiserver FLAGS...            as kube-apiserver
//	controlplane controller-manager FLAGS...   as kube-controller-manager
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: controlplane etcd|apiserver|controller-manager FLAGS...")
		os.Exit(2)
	}
	part := os.Args[1]
	os.Args = append([]string{os.Args[0]}, os.Args[2:]...)
	switch part {
	case "etcd":
		stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer cancel()
		if err := runEtcd(stop, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "apiserver":
		run(apiserver.NewAPIServerCommand())
	case "controller-manager":
		run(controllermanager.NewControllerManagerCommand())
	default:
		fmt.Fprintf(os.Stderr, "controlplane: there is no part %q; it has etcd, apiserver, controller-manager\n", part)
		os.Exit(2)
	}
}

func run(command *cobra.Command) {
	defer logs.FlushLogs()
	os.Exit(cli.Run(command))
}
