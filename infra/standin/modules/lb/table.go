package main

import (
	"net"
	"sync"
)

// table knows the connection that each UDP client has.
type table struct {
	mutex sync.Mutex
	of    map[string]net.Conn
}

func newTable() *table { return &table{of: map[string]net.Conn{}} }

func (t *table) get(client string) net.Conn {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.of[client]
}

func (t *table) put(client string, server net.Conn) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.of[client] = server
}

func (t *table) drop(client string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.of, client)
}
