package main

import (
	"io/fs"
	"net/http"
	"strings"
	"time"

	"k8s.io/apiserver/pkg/server/options/encryptionconfig/controller"
)

// staticFiles are served without asking who wants them, as K3s does (pkg/server/router.go): charts, for Jobs that have no token for them.
const staticFiles = "/var/lib/rancher/k3s/server/static"

func init() {
	// A learner who rotated the keys of Secrets waits for the API server to see it: upstream looks once a minute.
	controller.EncryptionConfigFileChangePollDuration = 2 * time.Second
}

// withStatic serves files below /static/ and leaves everything else to the API server.
func withStatic(api http.Handler) http.Handler {
	files := http.StripPrefix("/static/", http.FileServer(noListing{http.Dir(staticFiles)}))
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if strings.HasPrefix(request.URL.Path, "/static/") {
			files.ServeHTTP(answer, request)
		} else {
			api.ServeHTTP(answer, request)
		}
	})
}

// noListing hides what a folder contains.
type noListing struct{ http.FileSystem }

func (n noListing) Open(name string) (http.File, error) {
	file, err := n.FileSystem.Open(name)
	if err != nil {
		return nil, err
	}
	if about, err := file.Stat(); err != nil || about.IsDir() {
		file.Close()
		return nil, fs.ErrNotExist
	}
	return file, nil
}
