package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// settings is what one run of the application was told.
type settings struct {
	port        int
	path        string // answers at this path and below
	body        string
	readyAfter  time.Duration
	requireEnv  []string // variables that must be set, or it does not start
	requireFile []string // files that must be there, or it does not start
	version     string
	hostname    string
}

// readSettings takes flags, and for those not given the environment.
func readSettings(args []string, getenv func(string) string) (settings, error) {
	var s settings
	var requireEnv, requireFile string
	flags := flag.NewFlagSet("web", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it, in one line
	flags.StringVar(&s.path, "path", or(getenv("WEB_PATH"), "/"), "path that it answers at, with everything below (WEB_PATH)")
	flags.StringVar(&s.body, "body", or(getenv("WEB_BODY"), "Hello!"), "first line of the answer (WEB_BODY)")
	port := flags.String("port", or(notOfService(getenv("WEB_PORT")), "8080"), "port that it listens on (WEB_PORT)")
	readyAfter := flags.String("ready-after", or(getenv("WEB_READY_AFTER"), "0s"), "how long /readyz says no, as 5s (WEB_READY_AFTER)")
	flags.StringVar(&requireEnv, "require-env", getenv("WEB_REQUIRE_ENV"), "variables it needs, comma between them (WEB_REQUIRE_ENV)")
	flags.StringVar(&requireFile, "require-file", getenv("WEB_REQUIRE_FILE"), "files it needs, comma between them (WEB_REQUIRE_FILE)")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(os.Stdout)
		flags.PrintDefaults()
		return s, err
	} else if err != nil {
		return s, fmt.Errorf("wrong settings: %w", err)
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("wrong settings: %q is not a flag", flags.Arg(0))
	}
	var err error
	if s.port, err = strconv.Atoi(*port); err != nil || s.port < 1 || s.port > 65535 {
		return s, fmt.Errorf("wrong settings: port %q is not a number from 1 to 65535", *port)
	}
	if s.readyAfter, err = time.ParseDuration(*readyAfter); err != nil || s.readyAfter < 0 {
		return s, fmt.Errorf("wrong settings: ready-after %q is not a time such as 5s", *readyAfter)
	}
	if !strings.HasPrefix(s.path, "/") {
		return s, fmt.Errorf("wrong settings: path %q does not begin with /", s.path)
	}
	s.path = "/" + strings.Trim(s.path, "/")
	s.requireEnv, s.requireFile = list(requireEnv), list(requireFile)
	s.version = or(getenv("WEB_VERSION"), "0")
	s.hostname, err = os.Hostname()
	return s, err
}

// check says what the application needs and does not have.
func (s settings) check(getenv func(string) string) error {
	for _, name := range s.requireEnv {
		if getenv(name) == "" {
			return fmt.Errorf("the environment variable %s is not set, and I cannot work without it", name)
		}
	}
	for _, path := range s.requireFile {
		if _, err := os.ReadFile(path); err != nil {
			return fmt.Errorf("cannot start without this file: %w", err)
		}
	}
	return nil
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

// notOfService is nothing for what Kubernetes tells pods of a Service named web: WEB_PORT=tcp://10.43.0.9:80 is not meant for us.
func notOfService(value string) string {
	if strings.Contains(value, "://") {
		return ""
	}
	return value
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}
