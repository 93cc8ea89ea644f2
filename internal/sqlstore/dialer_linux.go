package sqlstore

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT (RFC 5482; linux/tcp.h).
const tcpUserTimeout = 18

// boundUnsent makes the kernel give a connection up whose peer acknowledges
// nothing. A kernel that cannot leaves it to its own, longer, patience.
func boundUnsent(c *net.TCPConn, d time.Duration) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
		})
	}
}
