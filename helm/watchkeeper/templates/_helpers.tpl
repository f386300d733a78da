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

{{/* Secrets as environment variables; with the volumes below the only place that names them. */}}
{{- define "watchkeeper.secretEnv" -}}
- name: WATCHKEEPER_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "watchkeeper.databaseSecret" . }}
      key: {{ .Values.database.urlKey }}
{{- if hasPrefix "SASL" .Values.kafka.protocol }}
{{- $secret := required "kafka.protocol is SASL: set kafka.sasl.existingSecret to a Secret with the user's name and password" .Values.kafka.sasl.existingSecret }}
- name: WATCHKEEPER_KAFKA_SASL_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ .Values.kafka.sasl.usernameKey }}
- name: WATCHKEEPER_KAFKA_SASL_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ .Values.kafka.sasl.passwordKey }}
{{- end }}
{{- end -}}

{{/* What is no secret. A service reads it from the ConfigMap; a hook runs before that exists. */}}
{{- define "watchkeeper.plainEnv" -}}
{{- $kafka := .Values.kafka -}}
WATCHKEEPER_KAFKA_BOOTSTRAP: {{ include "watchkeeper.bootstrap" . | quote }}
WATCHKEEPER_KAFKA_SECURITY_PROTOCOL: {{ $kafka.protocol }}
{{- if hasPrefix "SASL" $kafka.protocol }}
WATCHKEEPER_KAFKA_SASL_MECHANISM: {{ $kafka.sasl.mechanism }}
{{- end }}
{{- if hasSuffix "SSL" $kafka.protocol }}
{{- if $kafka.tls.caSecret }}
WATCHKEEPER_KAFKA_SSL_CAFILE: /etc/watchkeeper/kafka-ca/{{ $kafka.tls.caKey }}
{{- end }}
{{- if $kafka.tls.clientSecret }}
WATCHKEEPER_KAFKA_SSL_CERTFILE: /etc/watchkeeper/kafka-client/{{ $kafka.tls.certKey }}
WATCHKEEPER_KAFKA_SSL_KEYFILE: /etc/watchkeeper/kafka-client/{{ $kafka.tls.keyKey }}
{{- end }}
{{- end }}
{{- with .Values.publicUrl }}
WATCHKEEPER_PUBLIC_URL: {{ . | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* /tmp is the only place a pod can write to; certificates are mounted read-only. */}}
{{- define "watchkeeper.volumes" -}}
- name: tmp
  emptyDir: {}
{{- if hasSuffix "SSL" .Values.kafka.protocol }}
{{- with .Values.kafka.tls.caSecret }}
- name: kafka-ca
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with .Values.kafka.tls.clientSecret }}
- name: kafka-client
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end -}}

{{- define "watchkeeper.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if hasSuffix "SSL" .Values.kafka.protocol }}
{{- if .Values.kafka.tls.caSecret }}
- name: kafka-ca
  mountPath: /etc/watchkeeper/kafka-ca
  readOnly: true
{{- end }}
{{- if .Values.kafka.tls.clientSecret }}
- name: kafka-client
  mountPath: /etc/watchkeeper/kafka-client
  readOnly: true
{{- end }}
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
