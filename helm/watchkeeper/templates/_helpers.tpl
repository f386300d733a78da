{{- define "watchkeeper.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 48 | trimSuffix "-" -}}
{{- end -}}

{{/* 48, because "-alerting" and the hash of a pod still follow. */}}
{{- define "watchkeeper.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains (include "watchkeeper.name" .) .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "watchkeeper.name" .) | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What never changes over upgrades: selectors are immutable, so no version belongs here. */}}
{{- define "watchkeeper.selector" -}}
app.kubernetes.io/name: {{ include "watchkeeper.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "watchkeeper.labels" -}}
{{ include "watchkeeper.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: watchkeeper
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "watchkeeper.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "watchkeeper.databaseSecret" -}}
{{- required "set database.existingSecret to the name of a Secret that holds the database URL; the chart makes no Secrets" .Values.database.existingSecret -}}
{{- end -}}

{{- define "watchkeeper.bootstrap" -}}
{{- required "set kafka.bootstrap to host:port of your brokers; pods cannot share the embedded log" .Values.kafka.bootstrap -}}
{{- end -}}

{{/* Secrets as environment variables; the only place that names them. */}}
{{- define "watchkeeper.secretEnv" -}}
- name: WATCHKEEPER_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "watchkeeper.databaseSecret" . }}
      key: {{ .Values.database.urlKey }}
{{- end -}}

{{/* What is no secret. A service reads it from the ConfigMap; a hook runs before that exists. */}}
{{- define "watchkeeper.plainEnv" -}}
WATCHKEEPER_KAFKA_BOOTSTRAP: {{ include "watchkeeper.bootstrap" . | quote }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "watchkeeper.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "watchkeeper.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
