// Command istiod is Istio's control plane, built from its Go module. The tests start it beside `serinus up`, where no cluster
// and no container is at hand. It is the real program; only its image and its installer are missing.
package main

import (
	"os"

	"istio.io/istio/pilot/cmd/pilot-discovery/app"
)

func main() {
	if err := app.NewRootCommand().Execute(); err != nil {
		os.Exit(1)
	}
}
