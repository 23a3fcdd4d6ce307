package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	applyapps "k8s.io/client-go/applyconfigurations/apps/v1"
	applyautoscaling "k8s.io/client-go/applyconfigurations/autoscaling/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
)

func applyConfigMap(ctx context.Context, c *client) error {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	one, two := metav1.ApplyOptions{FieldManager: "one"}, metav1.ApplyOptions{FieldManager: "two"}
	wanted := func(data ...string) *applycore.ConfigMapApplyConfiguration {
		return applycore.ConfigMap("a", c.namespace).WithData(configMap("", data...).Data)
	}
	if _, err := maps.Apply(ctx, wanted("x", "1", "y", "1"), one); err != nil {
		return err
	}
	before, err := maps.Apply(ctx, wanted("x", "1", "y", "1"), one)
	if err != nil {
		return err
	}
	_, conflict := maps.Apply(ctx, wanted("x", "2"), two)
	if err := first(
		that(apierrors.IsConflict(conflict), "a conflict, got %v", conflict),
		that(apierrors.HasStatusCause(conflict, metav1.CauseTypeFieldManagerConflict), "the field in conflict, got %#v", conflict),
	); err != nil {
		return err
	}
	two.Force = true
	forced, err := maps.Apply(ctx, wanted("x", "2", "z", "2"), two)
	if err != nil {
		return err
	}
	// What one manager leaves out goes, what another has stays.
	mine, err := applycore.ExtractConfigMap(forced, "one")
	if err != nil {
		return err
	}
	if err := equal("fields of the first manager", fmt.Sprint(mine.Data), "map[y:1]"); err != nil {
		return err
	}
	mine.Data = nil
	after, err := maps.Apply(ctx, mine, one)
	if err != nil {
		return err
	}
	same, err := maps.Apply(ctx, mine, one)
	return first(err, equal("data", fmt.Sprint(after.Data), "map[x:2 z:2]"), equal("version after nothing new", same.ResourceVersion, after.ResourceVersion),
		equal("uid", after.UID, before.UID))
}

func applyDeployment(ctx context.Context, c *client) error {
	all := c.typed.AppsV1().Deployments(c.namespace)
	options := metav1.ApplyOptions{FieldManager: "owner"}
	labels := map[string]string{"app": "web"}
	wanted := applyapps.Deployment("web", c.namespace).WithSpec(applyapps.DeploymentSpec().
		WithSelector(applymeta.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(applycore.PodTemplateSpec().WithLabels(labels).WithSpec(applycore.PodSpec().WithContainers(
			applycore.Container().WithName("main").WithImage("web:1").
				WithPorts(applycore.ContainerPort().WithContainerPort(8080).WithProtocol(corev1.ProtocolTCP)),
			applycore.Container().WithName("side").WithImage("side:1")))))
	made, err := all.Apply(ctx, wanted, options)
	if err != nil {
		return err
	}
	scaled, err := all.ApplyScale(ctx, "web", applyautoscaling.Scale().WithSpec(applyautoscaling.ScaleSpec().WithReplicas(6)),
		metav1.ApplyOptions{FieldManager: "scaler", Force: true})
	if err != nil {
		return during("scale", err)
	}
	status, err := all.ApplyStatus(ctx, applyapps.Deployment("web", c.namespace).WithStatus(applyapps.DeploymentStatus().WithReadyReplicas(1)),
		metav1.ApplyOptions{FieldManager: "watcher"})
	if err != nil {
		return during("status", err)
	}
	extracted, err := applyapps.ExtractDeployment(status, "owner")
	if err != nil {
		return err
	}
	extracted.Spec.Template.Spec.Containers = extracted.Spec.Template.Spec.Containers[:1]
	after, err := all.Apply(ctx, extracted, options)
	if err != nil {
		return err
	}
	ofStatus, err := applyapps.ExtractDeploymentStatus(after, "watcher")
	return first(
		err,
		equal("generation of the first", made.Generation, 1),
		equal("scale", scaled.Spec.Replicas, 6),
		equal("ready", status.Status.ReadyReplicas, 1),
		equal("containers", len(after.Spec.Template.Spec.Containers), 1),
		equal("replicas", *after.Spec.Replicas, 6),
		that(ofStatus.Status != nil && *ofStatus.Status.ReadyReplicas == 1, "the status of its manager"),
	)
}

func applyRollout(ctx context.Context, c *client) error {
	web := rollout("web", 3, map[string]any{"a": "b"})
	if _, err := c.rollouts().Apply(ctx, "web", web, metav1.ApplyOptions{FieldManager: "owner"}); err != nil {
		return err
	}
	status := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
		"metadata": map[string]any{"name": "web"}, "status": map[string]any{"readyReplicas": int64(2)}}}
	if _, err := c.rollouts().ApplyStatus(ctx, "web", status, metav1.ApplyOptions{FieldManager: "controller"}); err != nil {
		return during("status", err)
	}
	body := []byte(`{"apiVersion":"argoproj.io/v1alpha1","kind":"Rollout","spec":{"replicas":4}}`)
	_, conflict := c.rollouts().Patch(ctx, "web", types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: "other"})
	web.SetLabels(nil)
	after, err := c.rollouts().Apply(ctx, "web", web, metav1.ApplyOptions{FieldManager: "owner"})
	return first(
		err,
		that(apierrors.IsConflict(conflict), "a conflict, got %v", conflict),
		equal("labels", len(after.GetLabels()), 0),
		equal("ready", number(after, "status", "readyReplicas"), 2),
		equal("replicas", number(after, "spec", "replicas"), 3),
	)
}
