package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"
)

// routes says what is answered where. /healthz and /readyz are at the root, whatever the path.
func routes(s settings, started time.Time) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if left := s.readyAfter - time.Since(started); left > 0 {
			http.Error(w, fmt.Sprintf("not ready for another %s", left.Round(time.Second)), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if !below(r.URL.Path, s.path) {
			http.Error(w, fmt.Sprintf("web %s on %s answers at %s, not at %s", s.version, s.hostname, s.path, r.URL.Path), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(w, "%s\nversion: %s\npod: %s\nhost: %s\npath: %s\n", s.body, s.version, s.hostname, r.Host, r.URL.Path)
	})
	return mux
}

func below(asked, path string) bool {
	return path == "/" || asked == path || strings.HasPrefix(asked, path+"/")
}

// logged writes one line per request: who asked for what, by which Host, and how it ended.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		client, _, _ := net.SplitHostPort(r.RemoteAddr)
		log.Printf("%s %s path=%q host=%q status=%d", client, r.Method, r.URL.Path, r.Host, seen.status)
	})
}

// statusWriter remembers the status that was sent.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
