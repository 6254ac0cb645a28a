package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// job is one run of a helm-controller Job.
type job struct {
	environment func(string) string
	helm        func(output io.Writer, args []string) error
	notes       io.Writer // the container's termination message
	log         io.Writer
}

// release is what helm knows of the chart so far; all empty if nothing.
type release struct {
	Revision    json.Number `json:"version"`
	ApplyMethod string      `json:"apply_method"`
	Info        struct {
		Status string `json:"status"`
	} `json:"info"`
}

// errSilent ends the Job as failed; helm has said why.
var errSilent = errors.New("")

// run does what the arguments ask for: "install" with helm's flags, or "delete".
func (j job) run(args []string) error {
	if len(args) == 0 {
		return errors.New("klipper-helm needs to be told: install or delete")
	}
	if j.environment("HELM_VERSION") == "v2" {
		return errors.New("Helm v2 is at its end of life; upgrade your chart to helm v3")
	}
	there := j.status()
	if args[0] == "delete" {
		return j.uninstall(there)
	}
	chart, err := j.chart()
	if err != nil {
		return err
	}
	if there.Revision != "" && !j.isExpected(there) {
		return nil
	}
	return j.install(args[1:], chart, there)
}

// install installs or upgrades, depending on what is there.
func (j job) install(flags []string, chart string, there release) error {
	name := j.environment("NAME")
	policy := j.environment("FAILURE_POLICY")
	switch status := there.Info.Status; {
	case status == "":
		return j.change("install", "Installing", flags, chart, there)
	case status == "deployed":
		return j.change("upgrade", "Upgrading", flags, chart, there)
	case status == "superseded":
		return j.change("upgrade", "Retrying upgrade of", flags, chart, there)
	case status == "pending-upgrade": // helm upgrades nothing that another helm was interrupted in
		_ = j.call("rollback", name, "--namespace", j.environment("TARGET_NAMESPACE"))
		return j.change("upgrade", "Retrying upgrade of", flags, chart, there)
	case policy == "abort":
		j.note("Release status is '%s' and failure policy is '%s'; waiting for operator intervention", status, policy)
		return errors.New("waiting for operator intervention")
	case policy == "retry":
		return j.change("upgrade", "Upgrading", flags, chart, there)
	case policy == "reinstall" || policy == "":
		j.note("Uninstalling %s helm chart", status)
		if err := j.call("uninstall", name, "--namespace", j.environment("TARGET_NAMESPACE"), "--wait"); err != nil {
			return err
		}
		return j.change("install", "Installing", flags, chart, release{})
	default:
		return fmt.Errorf("Unknown failure policy '%s'", policy)
	}
}

// change is one `helm install` or `helm upgrade` with everything that the HelmChart asks for.
func (j job) change(verb, doing string, flags []string, chart string, there release) error {
	j.note("%s helm chart", doing)
	args := append([]string{verb}, flags...)
	args = append(args, j.environment("NAME"), chart)
	args = append(args, j.connection()...)
	if timeout := j.environment("TIMEOUT"); timeout != "" {
		args = append(args, "--timeout", timeout)
	}
	if hash := j.environment("CONFIG_HASH"); hash != "" {
		args = append(args, "--labels", "helmcharts.helm.cattle.io/configHash="+hash)
	}
	args = append(args, j.serverSide(there)...)
	values, _ := filepath.Glob("/config/*.yaml") // sorted: the HelmChart's own first, then its HelmChartConfig's
	for _, file := range values {
		args = append(args, "--values", file)
	}
	return j.call(args...)
}

func (j job) uninstall(there release) error {
	if there.Revision == "" {
		j.note("No helm chart installed; nothing to delete")
		return nil
	}
	if !j.isExpected(there) {
		return nil
	}
	j.note("Uninstalling helm chart")
	_ = j.call("uninstall", j.environment("NAME"), "--namespace", j.environment("TARGET_NAMESPACE"), "--wait")
	return nil // what is left is seen at the next run
}

// chart is where the chart is: a file with the content that came with the HelmChart, or its name, path or address.
func (j job) chart() (string, error) {
	name := j.environment("NAME")
	if content, err := os.ReadFile("/chart/" + name + ".tgz.base64"); err == nil {
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(content)), ""))
		if err != nil {
			return "", fmt.Errorf("spec.chartContent is not base64: %w", err)
		}
		path := "/tmp/" + name + ".tgz"
		return path, os.WriteFile(path, data, 0o600)
	}
	api := j.environment("KUBERNETES_SERVICE_HOST") + ":" + j.environment("KUBERNETES_SERVICE_PORT")
	chart := strings.ReplaceAll(j.environment("CHART"), "%{KUBERNETES_API}%", api)
	if repo := j.environment("REPO"); repo != "" && !strings.Contains(chart, "://") {
		return chart, j.addRepository(strings.SplitN(name, "/", 2)[0], repo)
	}
	return chart, nil
}

func (j job) addRepository(name, address string) error {
	args := append([]string{"repo", "add"}, j.connection()...)
	if user, err := os.ReadFile("/auth/username"); err == nil {
		password, _ := os.ReadFile("/auth/password")
		args = append(args, "--username", string(user), "--password", string(password))
		if j.environment("AUTH_PASS_CREDENTIALS") == "true" {
			args = append(args, "--pass-credentials")
		}
	}
	if err := j.call(append(args, name, address)...); err != nil {
		return err
	}
	return j.call("repo", "update")
}

// connection says how a chart's or repository's server is trusted.
func (j job) connection() []string {
	var flags []string
	own, _ := filepath.Glob("/ca-files/*")
	if _, err := os.Stat("/config/ca-file.pem"); err == nil {
		own = append([]string{"/config/ca-file.pem"}, own...)
	}
	if len(own) > 0 {
		var all []byte
		for _, file := range own {
			content, _ := os.ReadFile(file)
			all = append(append(all, content...), '\n')
		}
		if os.WriteFile("/tmp/ca-file.pem", all, 0o600) == nil {
			flags = append(flags, "--ca-file", "/tmp/ca-file.pem")
		}
	}
	if j.environment("INSECURE_SKIP_TLS_VERIFY") == "true" {
		flags = append(flags, "--insecure-skip-tls-verify")
	}
	if j.environment("PLAIN_HTTP") == "true" {
		flags = append(flags, "--plain-http")
	}
	return flags
}

// serverSide are the flags for server-side apply; a first installation knows only yes and no.
func (j job) serverSide(there release) []string {
	side, force := j.environment("SERVER_SIDE"), j.environment("FORCE_CONFLICTS")
	if there.Revision == "" && side == "auto" {
		side = "true"
	}
	applies := side == "true" || side == "auto" && there.ApplyMethod == "ssa"
	var flags []string
	if side != "" {
		flags = append(flags, "--server-side="+side)
	}
	if force == "true" && applies {
		flags = append(flags, "--force-conflicts=true")
	}
	return flags
}

// isExpected tells whether the release is the one that the Job was made for; another Job may have been quicker.
func (j job) isExpected(there release) bool {
	expected := j.environment("EXPECTED_RELEASE_REVISION")
	if expected == "" || expected == there.Revision.String() {
		return true
	}
	j.note("Current release revision %s does not match expected revision %s", there.Revision, expected)
	return false
}

// status is the release as it is now.
func (j job) status() release {
	var said bytes.Buffer
	var found release
	args := []string{"status", "--namespace", j.environment("TARGET_NAMESPACE"), j.environment("NAME"), "--output", "json"}
	j.show(args)
	if j.helm(&said, args) == nil {
		_ = json.Unmarshal(said.Bytes(), &found)
	}
	return found
}

func (j job) call(args ...string) error {
	j.show(args)
	if j.helm(j.log, args) != nil {
		return errSilent
	}
	return nil
}

// show writes a command to the log, without a password.
func (j job) show(args []string) {
	shown := slices.Clone(args)
	if at := slices.Index(shown, "--password"); at >= 0 {
		shown[at+1] = "********"
	}
	fmt.Fprintln(j.log, "+ helm", strings.Join(shown, " "))
}

// note writes a line to the container's termination message and to the log.
func (j job) note(format string, values ...any) {
	fmt.Fprintf(j.notes, format+"\n", values...)
	fmt.Fprintf(j.log, format+"\n", values...)
}
