//go:build !linux

package sqlstore

import (
	"net"
	"time"
)

// boundUnsent is Linux's alone; elsewhere the kernel's patience counts.
func boundUnsent(*net.TCPConn, time.Duration) {}
