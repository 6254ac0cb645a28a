// Command lb passes one port of a node on to a Service: what ServiceLB runs in its pods.
// It is told as K3s's own is, through SRC_PORT, DEST_PROTO, DEST_PORT and DEST_IPS.
package main

import (
	"errors"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	connectWithin = 10 * time.Second
	refusedFor    = 2 * time.Second
	udpIdle       = 60 * time.Second
)

func main() {
	listen := ":" + os.Getenv("SRC_PORT")
	ip, _, _ := strings.Cut(os.Getenv("DEST_IPS"), ",")
	target := net.JoinHostPort(ip, os.Getenv("DEST_PORT"))
	if os.Getenv("DEST_PROTO") == "UDP" {
		go serveUDP(listen, target)
	} else {
		go serveTCP(listen, target)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
}

func serveTCP(listen, target string) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		log.Fatal(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Print(err) // out of file descriptors, say: others may be closed soon
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go passTCP(client.(*net.TCPConn), target)
	}
}

func passTCP(client *net.TCPConn, target string) {
	defer client.Close()
	connection, err := dial(target)
	if err != nil {
		log.Print(err)
		client.SetLinger(0) // the client sees a reset, as it would without us
		return
	}
	server := connection.(*net.TCPConn)
	defer server.Close()
	sent := make(chan struct{})
	go func() {
		io.Copy(server, client)
		server.CloseWrite()
		close(sent)
	}()
	io.Copy(client, server)
	client.CloseWrite()
	<-sent
}

// dial connects to the Service; kube-proxy may learn of its pods a moment after the Service has an address.
func dial(target string) (net.Conn, error) {
	for until := time.Now().Add(refusedFor); ; time.Sleep(100 * time.Millisecond) {
		connection, err := net.DialTimeout("tcp", target, connectWithin)
		if !errors.Is(err, syscall.ECONNREFUSED) || time.Now().After(until) {
			return connection, err
		}
	}
}

func serveUDP(listen, target string) {
	socket, err := net.ListenPacket("udp", listen)
	if err != nil {
		log.Fatal(err)
	}
	servers := newTable()
	buffer := make([]byte, 65535)
	for {
		size, client, err := socket.ReadFrom(buffer)
		if err != nil {
			log.Fatal(err)
		}
		server := servers.get(client.String())
		if server == nil {
			if server, err = net.Dial("udp", target); err != nil {
				log.Print(err)
				continue
			}
			servers.put(client.String(), server)
			go answerUDP(socket, client, server, servers)
		}
		server.Write(buffer[:size])
	}
}

func answerUDP(socket net.PacketConn, client net.Addr, server net.Conn, servers *table) {
	defer servers.drop(client.String())
	defer server.Close()
	buffer := make([]byte, 65535)
	for {
		server.SetReadDeadline(time.Now().Add(udpIdle))
		size, err := server.Read(buffer)
		if err != nil {
			return
		}
		socket.WriteTo(buffer[:size], client)
	}
}
