package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
)

func (c *client) fill(ctx context.Context, many int) error {
	for i := range many {
		if _, err := c.typed.CoreV1().ConfigMaps(c.namespace).Create(ctx, configMap(fmt.Sprintf("m%02d", i)), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func pages(ctx context.Context, c *client) error {
	if err := c.fill(ctx, 25); err != nil {
		return err
	}
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	start, err := maps.List(ctx, metav1.ListOptions{Limit: 10})
	if err != nil {
		return err
	}
	if err := that(start.Continue != "" && start.RemainingItemCount != nil && *start.RemainingItemCount == 15, "15 more"); err != nil {
		return err
	}
	// A page shows the moment of the first one.
	if _, err := maps.Create(ctx, configMap("m99"), metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := maps.Delete(ctx, "m24", metav1.DeleteOptions{}); err != nil {
		return err
	}
	rest, err := maps.List(ctx, metav1.ListOptions{Continue: start.Continue})
	if err != nil {
		return err
	}
	if err := first(
		equal("rest", len(rest.Items), 15),
		equal("last", rest.Items[14].Name, "m24"),
		equal("version", rest.ResourceVersion, start.ResourceVersion),
	); err != nil {
		return err
	}
	var names []string
	each := pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (runtime.Object, error) { return maps.List(ctx, options) }))
	each.PageSize = 7
	err = each.EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		names = append(names, object.(*corev1.ConfigMap).Name)
		return nil
	})
	if err != nil {
		return err
	}
	asked := 0
	for _, request := range c.wire.of("configmaps") {
		if request.url.Query().Get("limit") == "7" {
			asked++
		}
	}
	return first(equal("items", len(names), 25), equal("last", names[24], "m99"), equal("pages", asked, 4))
}

func expiredPages(ctx context.Context, c *client) error {
	if err := c.fill(ctx, 9); err != nil {
		return err
	}
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	start, err := maps.List(ctx, metav1.ListOptions{Limit: 4})
	if err != nil {
		return err
	}
	if err := manyChanges(ctx, c, "m00"); err != nil {
		return err
	}
	_, expired := maps.List(ctx, metav1.ListOptions{Limit: 4, Continue: start.Continue})
	status, ok := expired.(apierrors.APIStatus)
	if err := that(ok && apierrors.IsResourceExpired(expired), "expired, got %v", expired); err != nil {
		return err
	}
	rest, err := maps.List(ctx, metav1.ListOptions{Continue: status.Status().Continue})
	if err != nil {
		return err
	}
	if err := equal("rest", len(rest.Items), 5); err != nil {
		return err
	}
	// A pager whose pages expire between two requests starts over with one full list.
	turn := 0
	whole := pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (runtime.Object, error) {
		if turn++; turn == 2 {
			if err := manyChanges(ctx, c, "m00"); err != nil {
				return nil, err
			}
		}
		return maps.List(ctx, options)
	}))
	whole.PageSize = 4
	all, _, err := whole.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	list, ok := all.(*corev1.ConfigMapList)
	return first(that(ok, "a list of configmaps, found %T", all), equal("items", len(list.Items), 9), equal("requests", turn, 3))
}
