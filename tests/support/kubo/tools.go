//go:build tools

// Package kubo names what tests/support/kubo/build makes: the IPFS node that the tests start.
package kubo

import _ "github.com/ipfs/kubo/cmd/ipfs"
