package main

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// rich are objects with fields of every type, by the resource that they are created as.
func rich() map[string]runtime.Object {
	named := metav1.ObjectMeta{Name: "rich", Labels: map[string]string{"a": "b", "empty": ""}, Annotations: map[string]string{"x.y/z": "ä\n"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "o", UID: "1", Controller: to(true), BlockOwnerDeletion: to(false)}}}
	probe := &corev1.Probe{PeriodSeconds: 3, FailureThreshold: 2, ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromString("http"), HTTPHeaders: []corev1.HTTPHeader{{Name: "X", Value: "y"}}}}}
	spec := corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: to(int64(0)), NodeSelector: map[string]string{"disk": "ssd"},
		Tolerations:     []corev1.Toleration{{Key: "k", Operator: corev1.TolerationOpExists, TolerationSeconds: to(int64(5))}},
		SecurityContext: &corev1.PodSecurityContext{RunAsUser: to(int64(1000)), RunAsNonRoot: to(false)},
		Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			{TopologyKey: "host", LabelSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"a", "b"}}}}}}}},
		Volumes: []corev1.Volume{
			{Name: "cache", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: to(resource.MustParse("1Gi"))}}},
			{Name: "conf", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "c"}, DefaultMode: to(int32(0o400)), Items: []corev1.KeyToPath{{Key: "k", Path: "p"}}}}},
		},
		Containers: []corev1.Container{{
			Name: "main", Image: "web:1", Command: []string{"run", ""}, Args: []string{"-v"}, ReadinessProbe: probe,
			LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}}},
			Lifecycle:     &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 2}}},
			Ports:         []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
			Env: []corev1.EnvVar{{Name: "EMPTY", Value: ""}, {Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
				{Name: "S", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k", Optional: to(false), LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}},
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi"), corev1.ResourceCPU: resource.MustParse("0.5")}},
			VolumeMounts: []corev1.VolumeMount{
				{Name: "cache", MountPath: "/cache"}, {Name: "conf", MountPath: "/conf", ReadOnly: true, SubPath: "p"}},
		}},
	}
	restart := *spec.DeepCopy()
	restart.RestartPolicy = corev1.RestartPolicyAlways
	labels := map[string]string{"app": "rich"}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: restart}
	once := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec}
	rolling := appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{
		MaxSurge: to(intstr.FromString("25%")), MaxUnavailable: to(intstr.FromInt32(0))}}
	return map[string]runtime.Object{
		"pods": &corev1.Pod{ObjectMeta: named, Spec: spec},
		"deployments": &appsv1.Deployment{ObjectMeta: named, Spec: appsv1.DeploymentSpec{Replicas: to(int32(0)), MinReadySeconds: 4, Paused: true,
			Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template, Strategy: rolling, RevisionHistoryLimit: to(int32(0))}},
		"replicasets": &appsv1.ReplicaSet{ObjectMeta: named, Spec: appsv1.ReplicaSetSpec{Replicas: to(int32(2)),
			Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}},
		"services": &corev1.Service{ObjectMeta: named, Spec: corev1.ServiceSpec{Selector: labels, SessionAffinity: corev1.ServiceAffinityNone,
			ClusterIP: corev1.ClusterIPNone,
			Ports:     []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}, {Name: "raw", Port: 81, TargetPort: intstr.FromInt32(8081), Protocol: corev1.ProtocolUDP}}}},
		"secrets":    &corev1.Secret{ObjectMeta: named, Data: map[string][]byte{"raw": {0, 255}, "empty": {}}, Immutable: to(true)},
		"configmaps": &corev1.ConfigMap{ObjectMeta: named, Data: map[string]string{"a": "", "b": "x"}, BinaryData: map[string][]byte{"raw": {1, 254}}},
		"ingresses": &networkingv1.Ingress{ObjectMeta: named, Spec: networkingv1.IngressSpec{IngressClassName: to("web"),
			TLS: []networkingv1.IngressTLS{{Hosts: []string{"a.test"}, SecretName: "s"}},
			Rules: []networkingv1.IngressRule{{Host: "a.test", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: to(networkingv1.PathTypePrefix), Backend: networkingv1.IngressBackend{
					Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}}}}}}}}}}},
		"jobs": &batchv1.Job{ObjectMeta: named, Spec: batchv1.JobSpec{Template: once,
			// Otherwise the server makes one of its own for each.
			ManualSelector: to(true), Selector: &metav1.LabelSelector{MatchLabels: labels}, BackoffLimit: to(int32(0)), TTLSecondsAfterFinished: to(int32(0)),
			Suspend: to(true), CompletionMode: to(batchv1.NonIndexedCompletion)}},
		"endpointslices": &discoveryv1.EndpointSlice{ObjectMeta: named, AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"127.1.2.3"}, Conditions: discoveryv1.EndpointConditions{Ready: to(false), Serving: to(true)},
				TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "p"}}},
			Ports: []discoveryv1.EndpointPort{{Name: to(""), Port: to(int32(80)), Protocol: to(corev1.ProtocolTCP)}}},
		"poddisruptionbudgets": &policyv1.PodDisruptionBudget{ObjectMeta: named, Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: to(intstr.FromString("50%")), Selector: &metav1.LabelSelector{}}},
		"horizontalpodautoscalers": &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: named, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "web", APIVersion: "apps/v1"}, MaxReplicas: 4,
			Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: to(int32(60))}}},
				{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: "rps"},
					Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: to(resource.MustParse("1.5k"))}}}},
			Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{ScaleDown: &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: to(int32(0)),
				Policies: []autoscalingv2.HPAScalingPolicy{{Type: autoscalingv2.PercentScalingPolicy, Value: 10, PeriodSeconds: 15}}}}}},
		"events": &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "rich"}, InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "p"},
			Reason: "R", Message: "m", Type: "Normal", Count: 2, EventTime: metav1.NewMicroTime(time.Unix(1700000000, 123456000)), Action: "A",
			ReportingController: "serinus.dev/c", ReportingInstance: "i", FirstTimestamp: metav1.Unix(1700000000, 0), Source: corev1.EventSource{Component: "c"}},
	}
}

// sameMeaning creates each rich object twice, in dry runs: nothing that was sent may be lost, whatever the encoding.
func sameMeaning(ctx context.Context, c *client) error {
	for name, wanted := range rich() {
		var answers []runtime.Object
		for _, contentType := range []string{"application/json", "application/vnd.kubernetes.protobuf"} {
			answer, err := c.createAs(ctx, name, wanted, contentType)
			if err != nil {
				return during(name+" as "+contentType, err)
			}
			answers = append(answers, answer)
		}
		if !equality.Semantic.DeepEqual(answers[0], answers[1]) {
			return fmt.Errorf("%s: as JSON and as protobuf: %s", name, diff.Diff(answers[0], answers[1]))
		}
		if err := kept(wanted, answers[0]); err != nil {
			return during(name, err)
		}
	}
	return nil
}

// kept is an error unless all that was sent came back, among what the server filled in.
func kept(wanted, found runtime.Object) error {
	converter := runtime.DefaultUnstructuredConverter
	sent, err := converter.ToUnstructured(wanted)
	if err != nil {
		return err
	}
	received, err := converter.ToUnstructured(found)
	if err != nil {
		return err
	}
	return within(sent, received, "")
}

func within(wanted, found any, path string) error {
	switch part := wanted.(type) {
	case nil: // what Go writes for a time that is not set
		return nil
	case map[string]any:
		other, _ := found.(map[string]any)
		for key, value := range part {
			if err := within(value, other[key], path+"."+key); err != nil {
				return err
			}
		}
		return nil
	case []any:
		other, _ := found.([]any)
		if len(other) != len(part) {
			return fmt.Errorf("expected %s to be %v, found %v", path, wanted, found)
		}
		for i, value := range part {
			if err := within(value, other[i], fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	default:
		return that(wanted == found, "%s to be %v, found %v", path, wanted, found)
	}
}

func withoutKind(object runtime.Object) runtime.Object {
	object = object.DeepCopyObject()
	object.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	return object
}

func (c *client) createAs(ctx context.Context, resourceName string, object runtime.Object, contentType string) (runtime.Object, error) {
	kinds, _, err := scheme.Scheme.ObjectKinds(object)
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(c.config)
	config.ContentType = contentType
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	group := kinds[0].GroupVersion()
	config.GroupVersion, config.APIPath = &group, "/apis"
	if group.Group == "" {
		config.APIPath = "/api"
	}
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	answer, err := client.Post().Namespace(c.namespace).Resource(resourceName).
		VersionedParams(&options, scheme.ParameterCodec).Body(object).Do(ctx).Get()
	if err != nil {
		return nil, err
	}
	answer = withoutKind(answer)
	accessor, err := meta.Accessor(answer)
	if err != nil {
		return nil, err
	}
	// What differs between any two objects.
	accessor.SetUID("")
	accessor.SetCreationTimestamp(metav1.Time{})
	accessor.SetManagedFields(nil)
	return answer, nil
}
