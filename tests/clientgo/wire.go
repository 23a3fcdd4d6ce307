package main

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// wire is the connection of one client: it remembers requests, and can be cut.
type wire struct {
	mu       sync.Mutex
	requests []sent
	watches  []io.Closer
	cut      bool
}

type sent struct {
	method string
	url    *url.URL
	header http.Header
}

func (s sent) watch() bool { return s.url.Query().Get("watch") != "" }

var errCut = errors.New("the connection is cut")

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (w *wire) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		request := sent{r.Method, r.URL, r.Header.Clone()}
		w.mu.Lock()
		w.requests = append(w.requests, request)
		cut := w.cut
		w.mu.Unlock()
		if cut {
			return nil, errCut
		}
		response, err := next.RoundTrip(r)
		if err == nil && request.watch() {
			w.mu.Lock()
			w.watches = append(w.watches, response.Body)
			w.mu.Unlock()
		}
		return response, err
	})
}

// following tells whether a watch is open. Right after a list it may still be on its way.
func (w *wire) following() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.watches) > 0
}

// breakWatches ends all open watches.
func (w *wire) breakWatches() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, body := range w.watches {
		_ = body.Close()
	}
	w.watches = nil
}

// setCut makes every request fail, or lets them through again.
func (w *wire) setCut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
}

// of tells the requests on a resource so far.
func (w *wire) of(resource string) []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []sent
	for _, request := range w.requests {
		if strings.Contains(request.url.Path, "/"+resource) {
			found = append(found, request)
		}
	}
	return found
}
