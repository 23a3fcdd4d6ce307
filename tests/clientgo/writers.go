package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
)

func conflicts(ctx context.Context, c *client) error {
	const writers, times = 6, 8
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	if _, err := maps.Create(ctx, configMap("counter", "n", "0"), metav1.CreateOptions{}); err != nil {
		return err
	}
	patient := wait.Backoff{Steps: 200, Duration: time.Millisecond, Factor: 1.1, Jitter: 1, Cap: 50 * time.Millisecond}
	var conflicted atomic.Int32
	var group sync.WaitGroup
	failed := make(chan error, writers*times)
	for range writers {
		group.Go(func() {
			for range times {
				failed <- retry.RetryOnConflict(patient, func() error {
					found, err := maps.Get(ctx, "counter", metav1.GetOptions{})
					if err != nil {
						return err
					}
					n, _ := strconv.Atoi(found.Data["n"])
					found.Data["n"] = strconv.Itoa(n + 1)
					if _, err = maps.Update(ctx, found, metav1.UpdateOptions{}); err != nil {
						conflicted.Add(1)
					}
					return err
				})
			}
		})
	}
	group.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	found, err := maps.Get(ctx, "counter", metav1.GetOptions{})
	return first(err, equal("counter", found.Data["n"], strconv.Itoa(writers*times)),
		that(conflicted.Load() > 0, "some writes to conflict"))
}

// candidate runs for the lease until its context ends. leading counts all who lead, told is sent the names of new leaders.
func candidate(ctx context.Context, c *client, name string, release bool, leading *atomic.Int32, told chan<- string) error {
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, c.namespace, "lead",
		c.typed.CoreV1(), c.typed.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: name})
	if err != nil {
		return err
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: 2 * time.Second, RenewDeadline: 1500 * time.Millisecond, RetryPeriod: 100 * time.Millisecond,
		ReleaseOnCancel: release, Name: "lead",
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				if leading.Add(1) > 1 {
					told <- "two leaders at once"
				}
				told <- name
				<-ctx.Done()
				leading.Add(-1)
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	go elector.Run(ctx)
	return nil
}

func leaders(ctx context.Context, c *client) error {
	var leading atomic.Int32
	told := make(chan string, 10)
	next := func(wanted string) error {
		select {
		case name := <-told:
			return equal("leader", name, wanted)
		case <-time.After(15 * time.Second):
			return fmt.Errorf("expected %s to lead", wanted)
		}
	}
	// The first leaves in order, the second without a word.
	one, endOne := context.WithCancel(ctx)
	defer endOne()
	if err := first(candidate(one, c, "one", true, &leading, told), next("one")); err != nil {
		return err
	}
	two, endTwo := context.WithCancel(ctx)
	defer endTwo()
	if err := candidate(two, c, "two", false, &leading, told); err != nil {
		return err
	}
	endOne()
	if err := next("two"); err != nil {
		return err
	}
	if err := candidate(ctx, c, "three", true, &leading, told); err != nil {
		return err
	}
	endTwo()
	if err := next("three"); err != nil {
		return err
	}
	lease, err := c.typed.CoordinationV1().Leases(c.namespace).Get(ctx, "lead", metav1.GetOptions{})
	return first(err, equal("holder", *lease.Spec.HolderIdentity, "three"),
		equal("transitions", *lease.Spec.LeaseTransitions, 2))
}
