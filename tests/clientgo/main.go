// Command clientgo-check uses a Kubernetes API the way programs written with client-go do, and tells what did not work.
//
// It prints one line of JSON for each check, {"check", "ok", "detail"}, and exits with 0 if it came to the end, whatever
// the checks found. Every check has a namespace of its own, so that none depends on what another left behind.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// checkSeconds is the longest that one check may take before it counts as failed.
const checkSeconds = 40

type check struct {
	name string
	run  func(ctx context.Context, c *client) error
}

// client is what one check works with.
type client struct {
	config    *rest.Config
	wire      *wire
	namespace string
	typed     *kubernetes.Clientset
	dynamic   *dynamic.DynamicClient
}

// connect makes clients for a namespace. adjust may change the configuration first.
func connect(base *rest.Config, namespace string, adjust func(*rest.Config)) (*client, error) {
	config := rest.CopyConfig(base)
	config.QPS = -1 // the rate is the server's business here
	config.UserAgent = "clientgo-check"
	// Said, for newer clients of built-in kinds send protobuf where nothing is; that has checks of its own.
	config.ContentType = "application/json"
	// Nobody reads warnings unless a check asks for them.
	config.WarningHandler = rest.NoWarnings{}
	if adjust != nil {
		adjust(config)
	}
	w := &wire{}
	config.Wrap(w.wrap)
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &client{config: config, wire: w, namespace: namespace, typed: typed, dynamic: dyn}, nil
}

// again makes other clients for the same namespace.
func (c *client) again(adjust func(*rest.Config)) (*client, error) {
	return connect(unwrapped(c.config), c.namespace, adjust)
}

func unwrapped(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.WrapTransport = nil
	return config
}

func (c *client) makeNamespace(ctx context.Context) error {
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace}}
	_, err := c.typed.CoreV1().Namespaces().Create(ctx, made, metav1.CreateOptions{})
	return err
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "path of the kubeconfig")
	only := flag.String("only", "", "name of the one check to run")
	verbose := flag.Bool("v", false, "show what client-go logs")
	flag.Parse()
	if !*verbose {
		klog.SetLogger(logr.Discard())
		klog.SetOutput(io.Discard)
	}
	base, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	for number, check := range checks() {
		if *only != "" && check.name != *only {
			continue
		}
		detail := ""
		if err := run(base, fmt.Sprintf("check-%d", number), check); err != nil {
			detail = err.Error()
		}
		_ = out.Encode(map[string]any{"check": check.name, "ok": detail == "", "detail": detail})
	}
}

func run(base *rest.Config, namespace string, check check) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), checkSeconds*time.Second)
	defer cancel()
	c, err := connect(base, namespace, nil)
	if err != nil {
		return err
	}
	if err := c.makeNamespace(ctx); err != nil {
		return err
	}
	return check.run(ctx, c)
}

func checks() []check {
	return []check{
		{"configmaps are created, read, updated, patched and deleted", configMaps},
		{"errors are of the kinds that client-go tells apart", errorKinds},
		{"a deployment gets defaults, generations, a status and a scale", deployments},
		{"pods are selected, bound, evicted and deleted together", pods},
		{"bytes, times and quantities survive", values},
		{"dry runs change nothing, strict requests are refused, others warn", requestOptions},
		{"finalizers hold an object until they are gone", finalizers},
		{"reviews say who may do what", reviews},
		{"an event recorder's events arrive and are counted", events},
		{"rollouts through the dynamic client", rollouts},
		{"rollouts and deployments through the scale client", scales},
		{"the metadata client sees metadata only", metadataOnly},
		{"concurrent writers lose no update with RetryOnConflict", conflicts},
		{"one leader at a time, and another one after it", leaders},
		{"discovery, aggregated and per group, tells the same", discoveries},
		{"a RESTMapper knows short names and new definitions", mappings},
		{"shared informers follow built-in kinds", informersFollow},
		{"a dynamic informer follows rollouts by label", dynamicInformer},
		{"an informer catches up after its history is gone", informerCatchesUp},
		{"an expired version is told as such", expiredVersions},
		{"a broken watch goes on where it was", retryWatcher},
		{"watches end in time with a bookmark", bookmarks},
		{"server-side apply of configmaps and conflicts", applyConfigMap},
		{"server-side apply of deployments, their status and scale", applyDeployment},
		{"server-side apply of rollouts", applyRollout},
		{"lists come in pages of one moment", pages},
		{"a list whose pages expired can go on", expiredPages},
		{"all that can be followed is followed at once", everythingFollowed},
		{"discovery kept on disk", diskCache},
		{"a program waits for one object by name", untilReady},
		{"namespaces end when they are finalized", namespacesEnd},
		{"clients that prefer protobuf", protobuf},
		{"protobuf and JSON mean the same", sameMeaning},
	}
}
