//go:build tools

// Pins kwok, which plays nodes and pods for the test control plane.
package main

import _ "sigs.k8s.io/kwok/cmd/kwok"
