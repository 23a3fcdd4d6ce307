package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
)

func configMap(name string, data ...string) *corev1.ConfigMap {
	made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{}}
	for i := 0; i+1 < len(data); i += 2 {
		made.Data[data[i]] = data[i+1]
	}
	return made
}

func deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec()},
		},
	}
}

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{
		{Name: "main", Image: "web:1", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}},
		{Name: "side", Image: "side:1"},
	}}
}

func pod(name string, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: podSpec()}
}

func configMaps(ctx context.Context, c *client) error {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	made, err := maps.Create(ctx, configMap("a", "k", "1"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := first(
		that(made.UID != "" && made.ResourceVersion != "" && !made.CreationTimestamp.IsZero(), "a uid, version and time"),
		equal("namespace", made.Namespace, c.namespace),
		that(len(made.ManagedFields) == 1 && made.ManagedFields[0].Manager == "clientgo-check", "managed fields: %v", made.ManagedFields),
	); err != nil {
		return err
	}
	made.Data["k"] = "2"
	updated, err := maps.Update(ctx, made, metav1.UpdateOptions{FieldManager: "updater"})
	if err != nil {
		return err
	}
	for _, patch := range []struct {
		type_ types.PatchType
		body  string
	}{
		{types.MergePatchType, `{"data":{"merge":"yes","k":null}}`},
		{types.StrategicMergePatchType, `{"metadata":{"labels":{"strategic":"yes"}}}`},
		{types.JSONPatchType, `[{"op":"test","path":"/data/merge","value":"yes"},{"op":"add","path":"/data/json","value":"yes"}]`},
	} {
		if updated, err = maps.Patch(ctx, "a", patch.type_, []byte(patch.body), metav1.PatchOptions{}); err != nil {
			return during(string(patch.type_), err)
		}
	}
	found, err := maps.Get(ctx, "a", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := first(
		equal("data", fmt.Sprint(found.Data), "map[json:yes merge:yes]"),
		equal("label", found.Labels["strategic"], "yes"),
		equal("version", found.ResourceVersion, updated.ResourceVersion),
	); err != nil {
		return err
	}
	named, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "gen-"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := that(len(named.Name) == len("gen-")+5, "a generated name, found %q", named.Name); err != nil {
		return err
	}
	if err := maps.Delete(ctx, "a", metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(found.UID))}); err != nil {
		return err
	}
	_, err = maps.Get(ctx, "a", metav1.GetOptions{})
	return that(apierrors.IsNotFound(err), "not found, got %v", err)
}

func errorKinds(ctx context.Context, c *client) error {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	stale, err := maps.Create(ctx, configMap("a"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	again := stale.DeepCopy()
	again.Data = map[string]string{"x": "y"}
	if _, err := maps.Update(ctx, again, metav1.UpdateOptions{}); err != nil {
		return err
	}
	stale.Data = map[string]string{"x": "z"}
	_, conflict := maps.Update(ctx, stale, metav1.UpdateOptions{})
	_, exists := maps.Create(ctx, configMap("a"), metav1.CreateOptions{})
	_, missing := maps.Get(ctx, "nobody", metav1.GetOptions{})
	_, invalid := maps.Create(ctx, configMap("Not A Name"), metav1.CreateOptions{})
	wrongUID := maps.Delete(ctx, "a", metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions("other")})
	_, badPatch := maps.Patch(ctx, "a", types.JSONPatchType, []byte(`{`), metav1.PatchOptions{})
	_, badSelector := maps.List(ctx, metav1.ListOptions{FieldSelector: "data.x=1"})
	_, noNamespace := c.typed.CoreV1().ConfigMaps("nowhere").Create(ctx, configMap("a"), metav1.CreateOptions{})
	broken := deployment("broken")
	broken.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "other"}}
	_, mismatch := c.typed.AppsV1().Deployments(c.namespace).Create(ctx, broken, metav1.CreateOptions{})
	lost, err := c.again(func(config *rest.Config) { config.BearerToken, config.BearerTokenFile = "wrong", "" })
	if err != nil {
		return err
	}
	_, unauthorized := lost.typed.CoreV1().ConfigMaps(c.namespace).Get(ctx, "a", metav1.GetOptions{})
	return first(
		that(apierrors.IsConflict(conflict), "conflict, got %v", conflict),
		that(apierrors.IsAlreadyExists(exists), "already exists, got %v", exists),
		that(apierrors.IsNotFound(missing), "not found, got %v", missing),
		that(apierrors.IsInvalid(invalid), "invalid, got %v", invalid),
		that(apierrors.HasStatusCause(invalid, metav1.CauseTypeFieldValueInvalid), "a cause, got %#v", invalid),
		that(apierrors.IsConflict(wrongUID), "conflict on the uid, got %v", wrongUID),
		that(apierrors.IsBadRequest(badPatch), "bad request, got %v", badPatch),
		that(apierrors.IsBadRequest(badSelector), "bad request, got %v", badSelector),
		that(apierrors.IsNotFound(noNamespace), "no such namespace, got %v", noNamespace),
		that(apierrors.IsInvalid(mismatch), "invalid selector, got %v", mismatch),
		that(apierrors.IsUnauthorized(unauthorized), "unauthorized, got %v", unauthorized),
	)
}

func deployments(ctx context.Context, c *client) error {
	all := c.typed.AppsV1().Deployments(c.namespace)
	made, err := all.Create(ctx, deployment("web"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := first(
		that(made.Spec.Replicas != nil && *made.Spec.Replicas == 1, "one replica by default"),
		equal("strategy", made.Spec.Strategy.Type, appsv1.RollingUpdateDeploymentStrategyType),
		equal("generation", made.Generation, 1),
		equal("protocol", made.Spec.Template.Spec.Containers[0].Ports[0].Protocol, corev1.ProtocolTCP),
	); err != nil {
		return err
	}
	made.Status.Replicas, made.Status.ObservedGeneration = 1, 1
	made.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue,
		LastUpdateTime: metav1.Now(), LastTransitionTime: metav1.Now(), Reason: "Test", Message: "set"}}
	made.Spec.Replicas = to(int32(9))
	seen, err := all.UpdateStatus(ctx, made, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	if err := first(
		equal("replicas after a status update", *seen.Spec.Replicas, 1),
		equal("status.replicas", seen.Status.Replicas, 1),
		equal("generation after a status update", seen.Generation, 1),
		equal("conditions", len(seen.Status.Conditions), 1),
	); err != nil {
		return err
	}
	scale, err := all.GetScale(ctx, "web", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := equal("selector of the scale", scale.Status.Selector, "app=web"); err != nil {
		return err
	}
	scale.Spec.Replicas = 4
	if scale, err = all.UpdateScale(ctx, "web", scale, metav1.UpdateOptions{}); err != nil {
		return err
	}
	if err := equal("scale", scale.Spec.Replicas, 4); err != nil {
		return err
	}
	patched, err := all.Patch(ctx, "web", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"side:2"}]}}}}`), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	if err := first(
		equal("containers", len(patched.Spec.Template.Spec.Containers), 2),
		equal("replicas", *patched.Spec.Replicas, 4),
		equal("generation", patched.Generation, 3),
	); err != nil {
		return err
	}
	if _, err = all.Patch(ctx, "web", types.MergePatchType, []byte(`{"status":{"readyReplicas":1}}`), metav1.PatchOptions{}, "status"); err != nil {
		return err
	}
	found, err := all.Get(ctx, "web", metav1.GetOptions{})
	return first(err, equal("ready", found.Status.ReadyReplicas, 1))
}

func pods(ctx context.Context, c *client) error {
	all := c.typed.CoreV1().Pods(c.namespace)
	for _, name := range []string{"a", "b", "c", "d"} {
		if _, err := all.Create(ctx, pod(name, map[string]string{"app": "web", "name": name}), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	bind := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Target: corev1.ObjectReference{Kind: "Node", Name: "here"}}
	if err := all.Bind(ctx, bind, metav1.CreateOptions{}); err != nil {
		return during("bind", err)
	}
	if _, err := all.Patch(ctx, "b", types.StrategicMergePatchType, []byte(`{"status":{"phase":"Running"}}`), metav1.PatchOptions{}, "status"); err != nil {
		return err
	}
	for selector, wanted := range map[metav1.ListOptions]string{
		{FieldSelector: "spec.nodeName=here"}:                        "a",
		{FieldSelector: "status.phase=Running"}:                      "b",
		{FieldSelector: "metadata.name!=a", LabelSelector: "name=c"}: "c",
		{LabelSelector: "app in (web),name notin (a,b,c)"}:           "d",
	} {
		list, err := all.List(ctx, selector)
		if err != nil {
			return err
		}
		if err := that(len(list.Items) == 1 && list.Items[0].Name == wanted, "only %s for %v", wanted, selector); err != nil {
			return err
		}
	}
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "d", Namespace: c.namespace}}
	if err := all.EvictV1(ctx, eviction); err != nil {
		return during("evict", err)
	}
	if err := all.Delete(ctx, "a", metav1.DeleteOptions{GracePeriodSeconds: to(int64(0))}); err != nil {
		return err
	}
	if err := all.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=web"}); err != nil {
		return err
	}
	return until(ctx, "all pods are gone", func() bool {
		list, err := all.List(ctx, metav1.ListOptions{})
		return err == nil && len(list.Items) == 0
	})
}

func values(ctx context.Context, c *client) error {
	raw := []byte{0, 255, 10, 'x'}
	secret, err := c.typed.CoreV1().Secrets(c.namespace).Create(ctx,
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"raw": raw}, StringData: map[string]string{"text": "ä"}},
		metav1.CreateOptions{})
	if err != nil {
		return err
	}
	now := metav1.NewMicroTime(time.Now().Truncate(time.Microsecond))
	lease, err := c.typed.CoordinationV1().Leases(c.namespace).Create(ctx,
		&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "l"}, Spec: coordinationv1.LeaseSpec{RenewTime: &now}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	sized := pod("sized", nil)
	sized.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1500m")}
	sized, err = c.typed.CoreV1().Pods(c.namespace).Create(ctx, sized, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return first(
		that(bytes.Equal(secret.Data["raw"], raw), "the bytes of the secret, found %v", secret.Data["raw"]),
		equal("text", string(secret.Data["text"]), "ä"),
		that(lease.Spec.RenewTime.Equal(&now), "time %v, found %v", now, lease.Spec.RenewTime),
		equal("cpu", sized.Spec.Containers[0].Resources.Requests.Cpu().MilliValue(), 1500),
	)
}

// heard collects warnings.
type heard struct{ texts []string }

func (h *heard) HandleWarningHeader(_ int, _ string, text string) { h.texts = append(h.texts, text) }

func requestOptions(ctx context.Context, c *client) error {
	warnings := &heard{}
	c, err := c.again(func(config *rest.Config) { config.WarningHandler = warnings })
	if err != nil {
		return err
	}
	all := c.typed.AppsV1().Deployments(c.namespace)
	dry, err := all.Create(ctx, deployment("web"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return err
	}
	_, missing := all.Get(ctx, "web", metav1.GetOptions{})
	if err := first(
		that(dry.UID != "", "a uid in a dry run"),
		that(apierrors.IsNotFound(missing), "nothing created by a dry run, got %v", missing),
	); err != nil {
		return err
	}
	if _, err = all.Create(ctx, deployment("web"), metav1.CreateOptions{}); err != nil {
		return err
	}
	unknown := []byte(`{"spec":{"replics":3}}`)
	_, strict := all.Patch(ctx, "web", types.MergePatchType, unknown, metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict})
	warnings.texts = nil
	_, err = all.Patch(ctx, "web", types.MergePatchType, unknown, metav1.PatchOptions{FieldValidation: metav1.FieldValidationWarn})
	return first(
		err,
		that(strict != nil, "a strict request with an unknown field to be refused"),
		equal("warnings", fmt.Sprint(warnings.texts), `[unknown field "spec.replics"]`),
	)
}

func finalizers(ctx context.Context, c *client) error {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	held := configMap("held")
	held.Finalizers = []string{"serinus.dev/hold"}
	if _, err := maps.Create(ctx, held, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := maps.Delete(ctx, "held", metav1.DeleteOptions{PropagationPolicy: to(metav1.DeletePropagationForeground)}); err != nil {
		return err
	}
	found, err := maps.Get(ctx, "held", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := that(found.DeletionTimestamp != nil, "a time of deletion"); err != nil {
		return err
	}
	found.Finalizers = nil
	if _, err := maps.Update(ctx, found, metav1.UpdateOptions{}); err != nil {
		return err
	}
	_, err = maps.Get(ctx, "held", metav1.GetOptions{})
	return that(apierrors.IsNotFound(err), "the object to be gone, got %v", err)
}

func reviews(ctx context.Context, c *client) error {
	ask := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods", Namespace: c.namespace}}}
	answer, err := c.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, ask, metav1.CreateOptions{})
	return first(err, that(err == nil && answer.Status.Allowed, "to be allowed"))
}

func events(ctx context.Context, c *client) error {
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&sink{Interface: c.typed.CoreV1().Events(c.namespace)})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "clientgo-check"})
	about, err := c.typed.CoreV1().ConfigMaps(c.namespace).Create(ctx, configMap("a"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	for range 3 {
		recorder.Event(about, corev1.EventTypeNormal, "Tried", "once more")
	}
	return until(ctx, "one event was counted three times", func() bool {
		list, err := c.typed.CoreV1().Events(c.namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=a,reason=Tried"})
		return err == nil && len(list.Items) == 1 && list.Items[0].Count == 3
	})
}
