package main

import (
	"context"
	"fmt"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/features"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// history is more changes than the server under test remembers of one resource.
const history = 70

// counts is what an event handler has been told.
type counts struct{ added, updated, deleted atomic.Int32 }

func (n *counts) handler() cache.ResourceEventHandlerFuncs {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { n.added.Add(1) },
		UpdateFunc: func(_, _ any) { n.updated.Add(1) },
		DeleteFunc: func(any) { n.deleted.Add(1) },
	}
}

func (n *counts) String() string {
	return fmt.Sprintf("%d added, %d updated, %d deleted", n.added.Load(), n.updated.Load(), n.deleted.Load())
}

func informersFollow(ctx context.Context, c *client) error {
	maps, all, sets := c.typed.CoreV1().ConfigMaps(c.namespace), c.typed.CoreV1().Pods(c.namespace), c.typed.AppsV1().Deployments(c.namespace)
	if _, err := maps.Create(ctx, configMap("before"), metav1.CreateOptions{}); err != nil {
		return err
	}
	own, err := c.again(nil)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(own.typed, 0, informers.WithNamespace(c.namespace))
	ofMaps, ofPods, ofSets := &counts{}, &counts{}, &counts{}
	mapLister, setLister := factory.Core().V1().ConfigMaps().Lister(), factory.Apps().V1().Deployments().Lister()
	_, _ = factory.Core().V1().ConfigMaps().Informer().AddEventHandler(ofMaps.handler())
	_, _ = factory.Core().V1().Pods().Informer().AddEventHandler(ofPods.handler())
	_, _ = factory.Apps().V1().Deployments().Informer().AddEventHandler(ofSets.handler())
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("the cache of %v did not get ready", kind)
		}
	}
	if _, err := mapLister.ConfigMaps(c.namespace).Get("before"); err != nil {
		return err
	}
	if _, err := sets.Create(ctx, deployment("web"), metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := all.Create(ctx, pod("p", nil), metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := maps.Patch(ctx, "before", types.MergePatchType, []byte(`{"data":{"a":"b"}}`), metav1.PatchOptions{}); err != nil {
		return err
	}
	if err := maps.Delete(ctx, "before", metav1.DeleteOptions{}); err != nil {
		return err
	}
	if _, err := sets.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"replicas":2}}`), metav1.PatchOptions{}); err != nil {
		return err
	}
	if err := until(ctx, fmt.Sprintf("all is told: %v; %v; %v", ofMaps, ofPods, ofSets), func() bool {
		return ofMaps.String() == "1 added, 1 updated, 1 deleted" && ofPods.String() == "1 added, 0 updated, 0 deleted" &&
			ofSets.String() == "1 added, 1 updated, 0 deleted"
	}); err != nil {
		return err
	}
	var cached []*appsv1.Deployment
	if cached, err = setLister.List(labels.Everything()); err != nil {
		return err
	}
	// By watching alone, save where the environment says KUBE_FEATURE_WatchListClient=false: that is how older programs do it.
	wanted := []string{"true"}
	if !features.FeatureGates().Enabled(features.WatchListClient) {
		wanted = []string{"list", ""}
	}
	for _, resource := range []string{"configmaps", "pods", "deployments"} {
		var found []string
		for _, request := range own.wire.of(resource) {
			how := "list"
			if request.watch() {
				how = request.url.Query().Get("sendInitialEvents")
			}
			found = append(found, how)
		}
		if err := equal("requests for "+resource, fmt.Sprint(found), fmt.Sprint(wanted)); err != nil {
			return err
		}
	}
	return equal("replicas in the cache", *cached[0].Spec.Replicas, 2)
}

func dynamicInformer(ctx context.Context, c *client) error {
	if _, err := c.rollouts().Create(ctx, rollout("a", 1, map[string]any{"watch": "me"}), metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := c.rollouts().Create(ctx, rollout("b", 1, nil), metav1.CreateOptions{}); err != nil {
		return err
	}
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(c.dynamic, 0, c.namespace,
		func(options *metav1.ListOptions) { options.LabelSelector = "watch=me" })
	told := &counts{}
	informer := factory.ForResource(rolloutResource)
	_, _ = informer.Informer().AddEventHandler(told.handler())
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	// b comes into the selection, a leaves it.
	if _, err := c.rollouts().Patch(ctx, "b", types.MergePatchType, []byte(`{"metadata":{"labels":{"watch":"me"}}}`), metav1.PatchOptions{}); err != nil {
		return err
	}
	if _, err := c.rollouts().Patch(ctx, "b", types.MergePatchType, []byte(`{"spec":{"replicas":4}}`), metav1.PatchOptions{}); err != nil {
		return err
	}
	if _, err := c.rollouts().Patch(ctx, "a", types.MergePatchType, []byte(`{"metadata":{"labels":{"watch":null}}}`), metav1.PatchOptions{}); err != nil {
		return err
	}
	if err := until(ctx, "all is told", func() bool { return told.String() == "2 added, 1 updated, 1 deleted" }); err != nil {
		return fmt.Errorf("%w: %v", err, told)
	}
	found, err := informer.Lister().ByNamespace(c.namespace).Get("b")
	if err != nil {
		return err
	}
	return equal("replicas in the cache", number(found.(*unstructured.Unstructured), "spec", "replicas"), 4)
}

// manyChanges makes the server forget what happened before.
func manyChanges(ctx context.Context, c *client, name string) error {
	for i := range history {
		body := fmt.Appendf(nil, `{"data":{"n":"%d"}}`, i)
		if _, err := c.typed.CoreV1().ConfigMaps(c.namespace).Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func informerCatchesUp(ctx context.Context, c *client) error {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	for _, name := range []string{"changed", "deleted"} {
		if _, err := maps.Create(ctx, configMap(name), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	own, err := c.again(nil)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(own.typed, 0, informers.WithNamespace(c.namespace))
	told := &counts{}
	informer := factory.Core().V1().ConfigMaps()
	_, _ = informer.Informer().AddEventHandler(told.handler())
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if err := until(ctx, "the informer watches", own.wire.following); err != nil {
		return err
	}
	asked := len(own.wire.of("configmaps"))
	own.wire.setCut(true)
	own.wire.breakWatches()
	if err := first(
		maps.Delete(ctx, "deleted", metav1.DeleteOptions{}),
		manyChanges(ctx, c, "changed"),
	); err != nil {
		return err
	}
	own.wire.setCut(false)
	if err := until(ctx, "the cache is right", func() bool {
		cached, err := informer.Lister().ConfigMaps(c.namespace).Get("changed")
		_, gone := informer.Lister().ConfigMaps(c.namespace).Get("deleted")
		return err == nil && cached.Data["n"] == fmt.Sprint(history-1) && apierrors.IsNotFound(gone)
	}); err != nil {
		return fmt.Errorf("%w: %v", err, told)
	}
	return first(
		equal("deletions told", told.deleted.Load(), 1),
		that(len(own.wire.of("configmaps")) > asked, "the informer to ask again"),
	)
}

func expiredVersions(ctx context.Context, c *client) error {
	made, err := c.typed.CoreV1().ConfigMaps(c.namespace).Create(ctx, configMap("a"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := manyChanges(ctx, c, "a"); err != nil {
		return err
	}
	expired := func(events <-chan watch.Event) error {
		event, open := <-events
		if !open || event.Type != watch.Error {
			return fmt.Errorf("expected an error event, found %v %v", event.Type, event.Object)
		}
		err := apierrors.FromObject(event.Object)
		return that(apierrors.IsResourceExpired(err) || apierrors.IsGone(err), "expired, got %v", err)
	}
	plain, err := c.typed.CoreV1().ConfigMaps(c.namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: made.ResourceVersion})
	if err != nil {
		return err
	}
	retrying, err := watchtools.NewRetryWatcherWithContext(ctx, made.ResourceVersion, c.configMapWatch())
	if err != nil {
		return err
	}
	_, exact := c.typed.CoreV1().ConfigMaps(c.namespace).List(ctx,
		metav1.ListOptions{ResourceVersion: made.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact})
	// At once, for client-go would ask ten times, a second apart, whether the server has got there.
	future := c.typed.CoreV1().RESTClient().Get().MaxRetries(0).Namespace(c.namespace).Resource("configmaps").
		VersionedParams(&metav1.ListOptions{ResourceVersion: "999999999", ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan}, metav1.ParameterCodec).
		Do(ctx).Error()
	return first(
		during("watch", expired(plain.ResultChan())),
		during("RetryWatcher", expired(retrying.ResultChan())),
		that(apierrors.IsResourceExpired(exact), "an expired list, got %v", exact),
		that(apierrors.HasStatusCause(future, metav1.CauseTypeResourceVersionTooLarge), "a version too large, got %v", future),
	)
}

func (c *client) configMapWatch() cache.WatcherWithContext {
	return &cache.ListWatch{WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		return c.typed.CoreV1().ConfigMaps(c.namespace).Watch(ctx, options)
	}}
}

func retryWatcher(ctx context.Context, c *client) error {
	own, err := c.again(nil)
	if err != nil {
		return err
	}
	list, err := c.typed.CoreV1().ConfigMaps(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, own.configMapWatch())
	if err != nil {
		return err
	}
	defer watcher.Stop()
	for _, name := range []string{"a", "b", "c"} {
		if _, err := c.typed.CoreV1().ConfigMaps(c.namespace).Create(ctx, configMap(name), metav1.CreateOptions{}); err != nil {
			return err
		}
		event := <-watcher.ResultChan()
		accessor, err := meta.Accessor(event.Object)
		if err != nil {
			return err
		}
		if err := first(equal("event", event.Type, watch.Added), equal("name", accessor.GetName(), name)); err != nil {
			return err
		}
		own.wire.breakWatches()
	}
	return nil
}

func bookmarks(ctx context.Context, c *client) error {
	made, err := c.typed.CoreV1().ConfigMaps(c.namespace).Create(ctx, configMap("a"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	watcher, err := c.typed.CoreV1().ConfigMaps(c.namespace).Watch(ctx, metav1.ListOptions{
		ResourceVersion: made.ResourceVersion, AllowWatchBookmarks: true, TimeoutSeconds: to(int64(1))})
	if err != nil {
		return err
	}
	var last runtime.Object
	for event := range watcher.ResultChan() {
		if err := equal("event", event.Type, watch.Bookmark); err != nil {
			return err
		}
		last = event.Object
	}
	bookmark, ok := last.(*corev1.ConfigMap)
	return that(ok && bookmark.ResourceVersion >= made.ResourceVersion, "a bookmark at %s, found %v", made.ResourceVersion, last)
}
