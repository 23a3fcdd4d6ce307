package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// that is an error unless true, saying what was expected.
func that(true_ bool, format string, args ...any) error {
	if true_ {
		return nil
	}
	return fmt.Errorf("expected "+format, args...)
}

// equal is an error unless both are the same.
func equal[T comparable](what string, found, wanted T) error {
	return that(found == wanted, "%s to be %v, found %v", what, wanted, found)
}

// first is the first error, or nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// during says what was under way when err came.
func during(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// until waits for found to be true.
func until(ctx context.Context, what string, found func() bool) error {
	err := wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, 20*time.Second, true,
		func(context.Context) (bool, error) { return found(), nil })
	return during("waiting until "+what, err)
}

func to[T any](value T) *T { return &value }
