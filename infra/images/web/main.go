// Command web is the application that the labs deploy: small, quick to start, and plain about what it does.
//
// It answers with a body text, its version and the name of its pod, tells Kubernetes whether it lives and whether it is
// ready, logs each request, and on wrong settings ends with one clear line in its log. Settings are flags; the default of
// each flag is an environment variable, so that a Deployment may use either.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const (
	readTimeout  = 10 * time.Second // a client that sends nothing must not hold a connection for ever
	drainTimeout = 5 * time.Second  // less than the 30 s that Kubernetes waits before it kills
)

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	settings, err := readSettings(os.Args[1:], os.Getenv)
	if err == nil {
		err = settings.check(os.Getenv)
	}
	if err == nil {
		err = serve(settings)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Printf("FATAL: %v", err)
		os.Exit(1)
	}
}

// serve answers requests until the process is told to stop, then finishes the ones it has.
func serve(s settings) error {
	listener, err := net.Listen("tcp", ":"+strconv.Itoa(s.port))
	if err != nil {
		return fmt.Errorf("cannot listen on port %d: %w", s.port, err)
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	server := &http.Server{Handler: logged(routes(s, time.Now())), ReadHeaderTimeout: readTimeout}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	log.Printf("web %s on %s listens on port %d, answers at %s, ready in %s", s.version, s.hostname, s.port, s.path, s.readyAfter)

	select {
	case err := <-ended:
		return err
	case <-stop.Done():
	}
	log.Print("told to stop: finishing what has begun")
	drain, done := context.WithTimeout(context.Background(), drainTimeout)
	defer done()
	if err := server.Shutdown(drain); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	log.Print("stopped")
	return nil
}
