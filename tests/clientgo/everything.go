package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/disk"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// followable are all resources that can be listed and watched.
func followable(c *client) ([]schema.GroupVersionResource, error) {
	found, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return nil, err
	}
	_, lists, err := found.ServerGroupsAndResources()
	if err != nil {
		return nil, err
	}
	may := discovery.SupportsAllVerbs{Verbs: []string{"list", "watch", "delete"}}
	set, err := discovery.GroupVersionResources(discovery.FilteredBy(may, lists))
	var all []schema.GroupVersionResource
	for resource := range set {
		all = append(all, resource)
	}
	return all, err
}

// everythingFollowed is what garbage collectors and GitOps controllers do.
func everythingFollowed(ctx context.Context, c *client) error {
	all, err := followable(c)
	if err != nil {
		return err
	}
	only, err := metadata.NewForConfig(c.config)
	if err != nil {
		return err
	}
	factory := metadatainformer.NewSharedInformerFactory(only, 0)
	for _, resource := range all {
		factory.ForResource(resource).Informer()
	}
	factory.Start(ctx.Done())
	soon, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for resource, synced := range factory.WaitForCacheSync(soon.Done()) {
		if !synced {
			return fmt.Errorf("the cache of %v did not get ready", resource)
		}
	}
	if _, err := c.rollouts().Create(ctx, rollout("seen", 1, nil), metav1.CreateOptions{}); err != nil {
		return err
	}
	namespaces, err := factory.ForResource(corev1.SchemeGroupVersion.WithResource("namespaces")).Lister().Get(c.namespace)
	return first(
		err,
		that(namespaces != nil, "the namespace"),
		that(len(all) > 15, "many resources, found %v", all),
		until(ctx, "the rollout is seen", func() bool {
			found, err := factory.ForResource(rolloutResource).Lister().ByNamespace(c.namespace).Get("seen")
			return err == nil && found != nil
		}),
	)
}

func diskCache(_ context.Context, c *client) error {
	directory, err := os.MkdirTemp("", "clientgo-check")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(directory) }()
	cached, err := disk.NewCachedDiscoveryClientForConfig(c.config, directory+"/discovery", directory+"/http", time.Hour)
	if err != nil {
		return err
	}
	for range 2 {
		_, lists, err := cached.ServerGroupsAndResources()
		if err != nil {
			return err
		}
		if err := that(names(lists)["argoproj.io/v1alpha1/rollouts"] != "", "rollouts"); err != nil {
			return err
		}
		cached.Invalidate()
	}
	return nil
}

// untilReady waits for one object by name, as `kubectl wait` does.
func untilReady(ctx context.Context, c *client) error {
	all := c.typed.CoreV1().Pods(c.namespace)
	for _, name := range []string{"one", "other"} {
		if _, err := all.Create(ctx, pod(name, nil), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	source := cache.NewListWatchFromClient(c.typed.CoreV1().RESTClient(), "pods", c.namespace, fields.OneTermEqualSelector("metadata.name", "one"))
	ready := func(event watch.Event) (bool, error) {
		seen, ok := event.Object.(*corev1.Pod)
		if !ok || seen.Name != "one" {
			return false, fmt.Errorf("expected the one pod, found %v", event.Object)
		}
		if seen.Status.Phase == corev1.PodRunning {
			return true, nil
		}
		body := []byte(`{"status":{"phase":"Running"}}`)
		_, err := all.Patch(ctx, "one", types.MergePatchType, body, metav1.PatchOptions{}, "status")
		return false, err
	}
	soon, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := watchtools.UntilWithSync(soon, source, &corev1.Pod{}, nil, ready)
	return err
}

func namespacesEnd(ctx context.Context, c *client) error {
	all := c.typed.CoreV1().Namespaces()
	if err := all.Delete(ctx, c.namespace, metav1.DeleteOptions{}); err != nil {
		return err
	}
	found, err := all.Get(ctx, c.namespace, metav1.GetOptions{})
	if err != nil {
		return err
	}
	_, refused := c.typed.CoreV1().ConfigMaps(c.namespace).Create(ctx, configMap("late"), metav1.CreateOptions{})
	if err := first(
		equal("phase", found.Status.Phase, corev1.NamespaceTerminating),
		that(apierrors.HasStatusCause(refused, corev1.NamespaceTerminatingCause), "nothing new in a namespace that ends, got %v", refused),
	); err != nil {
		return err
	}
	found.Spec.Finalizers = nil
	if _, err := all.Finalize(ctx, found, metav1.UpdateOptions{}); err != nil {
		return err
	}
	_, err = all.Get(ctx, c.namespace, metav1.GetOptions{})
	return that(apierrors.IsNotFound(err), "the namespace to be gone, got %v", err)
}
