{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* The name of all objects: the release's, and the chart's unless the release has it in its name. */}}
{{- define "penstock.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "penstock.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "penstock.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* No app.kubernetes.io/instance: it would tell nothing that the name does not, and GitOps tools
     take it for their own mark. */}}
{{- define "penstock.labels" -}}
app.kubernetes.io/name: penstock
app.kubernetes.io/part-of: penstock
{{- end -}}

{{- define "penstock.selector" -}}
app.kubernetes.io/name: penstock
app.kubernetes.io/component: operator
{{- end -}}

{{- define "penstock.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the schema cannot say: how values go together. */}}
{{- define "penstock.check" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.leaderElection.enabled) -}}
{{- fail (printf "replicas is %d and leaderElection.enabled is false: operators that work at once are in each other's way; set replicas to 1 or leaderElection.enabled to true" (int .Values.replicas)) -}}
{{- end -}}
{{- if and .Values.metrics.enabled (eq (int .Values.metrics.port) 8081) -}}
{{- fail "metrics.port is 8081, which is the port of /healthz and /readyz; take another one" -}}
{{- end -}}
{{- if and .Values.metrics.certSecret (not (and .Values.metrics.enabled .Values.metrics.secure)) -}}
{{- fail "metrics.certSecret is set, but there is no TLS: set metrics.enabled and metrics.secure to true, or certSecret to \"\"" -}}
{{- end -}}
{{- range $label, $_ := .Values.podLabels -}}
{{- if has $label (list "app.kubernetes.io/name" "app.kubernetes.io/component" "app.kubernetes.io/part-of") -}}
{{- fail (printf "podLabels has %s, which the chart sets itself; remove it" $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
