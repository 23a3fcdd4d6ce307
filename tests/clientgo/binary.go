package main

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"
)

// protobuf does what other checks do, with clients that send protobuf and would rather read it.
func protobuf(ctx context.Context, c *client) error {
	for i, check := range []check{
		{"configmaps", configMaps}, {"errors", errorKinds}, {"deployments", deployments}, {"pods", pods}, {"values", values},
		{"finalizers", finalizers}, {"reviews", reviews}, {"events", events}, {"leaders", leaders},
		{"informers", informersFollow}, {"applied configmaps", applyConfigMap}, {"applied deployments", applyDeployment}, {"pages", pages},
	} {
		namespace := fmt.Sprintf("%s-%d", c.namespace, i)
		binary, err := connect(unwrapped(c.config), namespace, func(config *rest.Config) {
			config.ContentType = "application/vnd.kubernetes.protobuf"
		})
		if err != nil {
			return err
		}
		if err := first(binary.makeNamespace(ctx), during(check.name, check.run(ctx, binary))); err != nil {
			return err
		}
		for _, request := range binary.wire.of("namespaces") {
			if request.method == "POST" || request.method == "PUT" {
				if err := equal("content type", request.header.Get("Content-Type"), "application/vnd.kubernetes.protobuf"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
