//go:build tools

// Pins helm, which renders, checks and installs the chart.
package main

import _ "helm.sh/helm/v4/cmd/helm"
