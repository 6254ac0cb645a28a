package main

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strings"
)

// K3s answers joining nodes on the API server's own port (pkg/server/handlers/router.go). Here the supervisor does, on a socket.
const (
	supervisorSocket = "/run/k3s/supervisor.sock"
	clientCA         = "/var/lib/rancher/k3s/server/tls/client-ca.crt"
	userHeader       = "X-Remote-User"
	groupHeader      = "X-Remote-Group"
)

// withSupervisor passes what K3s's own agents ask for to the supervisor, and leaves everything else to the API server.
func withSupervisor(api http.Handler) http.Handler {
	dialer := &net.Dialer{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.Out.URL.Scheme, request.Out.URL.Host = "http", "supervisor"
			request.SetXForwarded()
			request.Out.Header.Del(userHeader)
			request.Out.Header.Del(groupHeader)
			if client := verifiedClient(request.In); client != nil {
				request.Out.Header.Set(userHeader, client.Subject.CommonName)
				request.Out.Header[groupHeader] = client.Subject.Organization
			}
		},
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "unix", supervisorSocket)
			},
		},
		ErrorHandler: func(answer http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(answer, "starting", http.StatusServiceUnavailable)
		},
	}
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		switch path := request.URL.Path; {
		case path == "/cacerts", path == "/ping", strings.HasPrefix(path, "/v1-k3s/"):
			proxy.ServeHTTP(answer, request)
		default:
			api.ServeHTTP(answer, request)
		}
	})
}

// verifiedClient is the certificate of whoever asks, if one of the cluster's own signed it: up to here nobody has looked.
func verifiedClient(request *http.Request) *x509.Certificate {
	if request.TLS == nil || len(request.TLS.PeerCertificates) == 0 {
		return nil
	}
	pem, err := os.ReadFile(clientCA)
	if err != nil {
		return nil
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := request.TLS.PeerCertificates[0]
	if _, err := client.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return nil
	}
	return client
}
