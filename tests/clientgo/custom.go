package main

import (
	"context"
	"fmt"
	"strings"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
)

// sink is where an event recorder writes.
type sink = typedcore.EventSinkImpl

var rolloutResource = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}

func rollout(name string, replicas int64, labels map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1",
		"kind":       "Rollout",
		"metadata":   map[string]any{"name": name, "labels": labels},
		"spec": map[string]any{
			"replicas": replicas,
			"selector": map[string]any{"matchLabels": map[string]any{"app": name}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"app": name}},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "main", "image": "web:1"}}},
			},
			"strategy": map[string]any{"canary": map[string]any{"steps": []any{map[string]any{"setWeight": int64(20)}}}},
		},
	}}
}

func (c *client) rollouts() dynamic.ResourceInterface {
	return c.dynamic.Resource(rolloutResource).Namespace(c.namespace)
}

func number(obj *unstructured.Unstructured, fields ...string) int64 {
	found, _, _ := unstructured.NestedInt64(obj.Object, fields...)
	return found
}

func rollouts(ctx context.Context, c *client) error {
	all := c.rollouts()
	made, err := all.Create(ctx, rollout("web", 3, nil), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_ = unstructured.SetNestedField(made.Object, int64(5), "spec", "replicas")
	updated, err := all.Update(ctx, made, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	if err := first(
		equal("replicas", number(updated, "spec", "replicas"), 5),
		equal("generation", updated.GetGeneration(), 2),
	); err != nil {
		return err
	}
	_, err = all.Update(ctx, rollout("web", 1, nil), metav1.UpdateOptions{})
	if err := that(err != nil, "an update without a version to be refused"); err != nil {
		return err
	}
	_ = unstructured.SetNestedField(updated.Object, int64(2), "status", "readyReplicas")
	_ = unstructured.SetNestedField(updated.Object, int64(1), "spec", "replicas")
	status, err := all.UpdateStatus(ctx, updated, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	if err := first(
		equal("ready", number(status, "status", "readyReplicas"), 2),
		equal("replicas after a status update", number(status, "spec", "replicas"), 5),
		equal("generation after a status update", status.GetGeneration(), 2),
	); err != nil {
		return err
	}
	paused, err := all.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"paused":true},"status":{"readyReplicas":9}}`), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	ready, err := all.Patch(ctx, "web", types.MergePatchType, []byte(`{"status":{"readyReplicas":4}}`), metav1.PatchOptions{}, "status")
	if err != nil {
		return err
	}
	_, strategic := all.Patch(ctx, "web", types.StrategicMergePatchType, []byte(`{}`), metav1.PatchOptions{})
	list, err := all.List(ctx, metav1.ListOptions{})
	if err := first(
		err,
		equal("ready after a patch of the spec", number(paused, "status", "readyReplicas"), 2),
		equal("ready after a patch of the status", number(ready, "status", "readyReplicas"), 4),
		that(apierrors.IsUnsupportedMediaType(strategic), "no strategic patches of custom resources, got %v", strategic),
		equal("kind of the list", list.GetKind(), "RolloutList"),
		equal("kind of the item", list.Items[0].GetKind(), "Rollout"),
	); err != nil {
		return err
	}
	if err := all.Delete(ctx, "web", metav1.DeleteOptions{}); err != nil {
		return err
	}
	_, err = all.Get(ctx, "web", metav1.GetOptions{})
	return that(apierrors.IsNotFound(err), "not found, got %v", err)
}

func scales(ctx context.Context, c *client) error {
	found, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))
	scaler, err := scale.NewForConfig(c.config, mapper, dynamic.LegacyAPIPathResolverFunc, scale.NewDiscoveryScaleKindResolver(found))
	if err != nil {
		return err
	}
	if _, err := c.rollouts().Create(ctx, rollout("web", 3, nil), metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := c.typed.AppsV1().Deployments(c.namespace).Create(ctx, deployment("web"), metav1.CreateOptions{}); err != nil {
		return err
	}
	for _, resource := range []schema.GroupVersionResource{rolloutResource, {Group: "apps", Version: "v1", Resource: "deployments"}} {
		now, err := scaler.Scales(c.namespace).Get(ctx, resource.GroupResource(), "web", metav1.GetOptions{})
		if err != nil {
			return during(resource.Resource, err)
		}
		now.Spec.Replicas = 7
		var after *autoscalingv1.Scale
		if after, err = scaler.Scales(c.namespace).Update(ctx, resource.GroupResource(), now, metav1.UpdateOptions{}); err != nil {
			return during(resource.Resource, err)
		}
		if err := equal(resource.Resource, after.Spec.Replicas, 7); err != nil {
			return err
		}
		after, err = scaler.Scales(c.namespace).Patch(ctx, resource, "web", types.MergePatchType, []byte(`{"spec":{"replicas":2}}`), metav1.PatchOptions{})
		if err := first(err, during(resource.Resource, equal("replicas", after.Spec.Replicas, 2))); err != nil {
			return err
		}
	}
	web, err := c.rollouts().Get(ctx, "web", metav1.GetOptions{})
	return first(err, equal("replicas", number(web, "spec", "replicas"), 2))
}

func metadataOnly(ctx context.Context, c *client) error {
	only, err := metadata.NewForConfig(c.config)
	if err != nil {
		return err
	}
	if _, err := c.rollouts().Create(ctx, rollout("web", 3, map[string]any{"a": "b"}), metav1.CreateOptions{}); err != nil {
		return err
	}
	list, err := only.Resource(rolloutResource).Namespace(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if err := that(len(list.Items) == 1 && list.Items[0].Labels["a"] == "b", "one rollout with its label: %v", list.Items); err != nil {
		return err
	}
	watch, err := only.Resource(rolloutResource).Namespace(c.namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		return err
	}
	defer watch.Stop()
	if _, err := only.Resource(rolloutResource).Namespace(c.namespace).Patch(ctx, "web", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"c"}}}`), metav1.PatchOptions{}); err != nil {
		return err
	}
	event := <-watch.ResultChan()
	partial, ok := event.Object.(*metav1.PartialObjectMetadata)
	if err := that(ok && partial.Labels["a"] == "c", "the change, found %T %v", event.Object, event.Object); err != nil {
		return err
	}
	return only.Resource(rolloutResource).Namespace(c.namespace).Delete(ctx, "web", metav1.DeleteOptions{})
}

func names(lists []*metav1.APIResourceList) map[string]string {
	found := map[string]string{}
	for _, list := range lists {
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") {
				r.SingularName = "" // client-go fills it in from the parent where discovery is aggregated
			}
			found[list.GroupVersion+"/"+r.Name] = fmt.Sprint(r.Kind, r.Namespaced, r.Verbs, r.ShortNames, r.SingularName, r.Categories)
		}
	}
	return found
}

func discoveries(ctx context.Context, c *client) error {
	modern, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return err
	}
	legacy, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return err
	}
	legacy.UseLegacyDiscovery = true
	_, new_, err := modern.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	_, old, err := legacy.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	newNames, oldNames := names(new_), names(old)
	for name := range newNames {
		if err := equal(name, oldNames[name], newNames[name]); err != nil {
			return err
		}
	}
	version, err := modern.ServerVersion()
	if err != nil {
		return err
	}
	preferred, err := modern.ServerPreferredNamespacedResources()
	if err != nil {
		return err
	}
	paths, err := modern.OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	path := paths["apis/argoproj.io/v1alpha1"]
	if path == nil {
		return fmt.Errorf("expected OpenAPI for argoproj.io")
	}
	schemaText, err := path.Schema("application/json")
	return first(
		err,
		equal("number of resources", len(oldNames), len(newNames)),
		equal("major version", version.Major, "1"),
		that(newNames["argoproj.io/v1alpha1/rollouts/scale"] != "", "rollouts/scale"),
		that(names(preferred)["apps/v1/deployments"] != "", "deployments among the preferred"),
		that(len(schemaText) > 0, "a schema"),
	)
}

func mappings(ctx context.Context, c *client) error {
	found, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return err
	}
	cached := memory.NewMemCacheClient(found)
	deferred := restmapper.NewDeferredDiscoveryRESTMapper(cached)
	mapper := restmapper.NewShortcutExpander(deferred, cached, nil)
	short, err := mapper.ResourceFor(schema.GroupVersionResource{Resource: "ro"})
	if err != nil {
		return err
	}
	kind, err := mapper.KindFor(schema.GroupVersionResource{Resource: "deploy"})
	if err != nil {
		return err
	}
	mapping, err := mapper.RESTMapping(schema.GroupKind{Group: "argoproj.io", Kind: "ClusterAnalysisTemplate"})
	if err != nil {
		return err
	}
	if err := first(
		equal("ro", short, rolloutResource),
		equal("deploy", kind.String(), "apps/v1, Kind=Deployment"),
		equal("scope", string(mapping.Scope.Name()), "root"),
	); err != nil {
		return err
	}
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "birds.serinus.dev"},
		"spec": map[string]any{
			"group": "serinus.dev", "scope": "Namespaced",
			"names": map[string]any{"plural": "birds", "singular": "bird", "kind": "Bird", "listKind": "BirdList"},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true, "schema": map[string]any{
				"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}},
		},
	}}
	crds := c.dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	if _, err := crds.Create(ctx, definition, metav1.CreateOptions{}); err != nil {
		return err
	}
	err = until(ctx, "the definition is established", func() bool {
		crd, err := crds.Get(ctx, "birds.serinus.dev", metav1.GetOptions{})
		if err != nil {
			return false
		}
		conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
		for _, condition := range conditions {
			if row, ok := condition.(map[string]any); ok && row["type"] == "Established" && row["status"] == "True" {
				return true
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	deferred.Reset()
	mapping, err = deferred.RESTMapping(schema.GroupKind{Group: "serinus.dev", Kind: "Bird"})
	if err != nil {
		return err
	}
	bird := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "serinus.dev/v1", "kind": "Bird",
		"metadata": map[string]any{"name": "canary"}, "wings": int64(2)}}
	made, err := c.dynamic.Resource(mapping.Resource).Namespace(c.namespace).Create(ctx, bird, metav1.CreateOptions{})
	return first(err, equal("wings", number(made, "wings"), 2), crds.Delete(ctx, "birds.serinus.dev", metav1.DeleteOptions{}))
}
