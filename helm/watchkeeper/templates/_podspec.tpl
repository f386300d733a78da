{{/* The pod of one service. Takes root, component and config (the service's values). */}}
{{- define "watchkeeper.podSpec" -}}
{{- $root := .root -}}
automountServiceAccountToken: false
# With links a Service called `watchkeeper` would set WATCHKEEPER_PORT, which is a setting.
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
terminationGracePeriodSeconds: {{ .config.terminationGracePeriodSeconds }}
securityContext:
  {{- include "watchkeeper.podSecurity" $root | nindent 2 }}
containers:
  - name: {{ .component }}
    image: {{ include "watchkeeper.image" $root | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: [{{ .component }}, --host, 0.0.0.0, --port, "8080"]
    ports:
      - name: http
        containerPort: 8080
        protocol: TCP
    env:
      {{- include "watchkeeper.secretEnv" $root | nindent 6 }}
    envFrom:
      - configMapRef:
          name: {{ include "watchkeeper.fullname" $root }}
      {{- range .config.extraEnvFrom }}
      - secretRef:
          name: {{ . }}
      {{- end }}
    # Alive asks nothing of the database or the log: restarting a pod mends neither.
    startupProbe:
      httpGet: {path: /healthz, port: http}
      periodSeconds: 2
      failureThreshold: 45
    livenessProbe:
      httpGet: {path: /healthz, port: http}
      periodSeconds: 10
      timeoutSeconds: 3
      failureThreshold: 6
    readinessProbe:
      httpGet: {path: /readyz, port: http}
      periodSeconds: 5
      timeoutSeconds: 3
      failureThreshold: 2
    {{- if gt (int .config.preStopSeconds) 0 }}
    lifecycle:
      preStop:
        sleep:
          seconds: {{ .config.preStopSeconds }}
    {{- end }}
    securityContext:
      {{- include "watchkeeper.containerSecurity" $root | nindent 6 }}
    resources:
      {{- toYaml .config.resources | nindent 6 }}
    volumeMounts:
      {{- include "watchkeeper.volumeMounts" $root | nindent 6 }}
volumes:
  {{- include "watchkeeper.volumes" $root | nindent 2 }}
{{- with .config.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .config.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .config.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .config.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
