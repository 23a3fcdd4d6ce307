{{- define "serinus.labels" -}}
app.kubernetes.io/name: argo-rollouts
app.kubernetes.io/part-of: argo-rollouts
app.kubernetes.io/component: rollouts-controller
{{- end }}

{{- define "serinus.everywhere" -}}
argo-rollouts{{ with .Values.instanceId }}-{{ . }}{{ end }}
{{- end }}

{{- define "serinus.role" -}}
{{ if .Values.namespaced }}argo-rollouts{{ else }}{{ include "serinus.everywhere" . }}{{ end }}
{{- end }}

{{- define "serinus.dashboard.labels" -}}
app.kubernetes.io/name: argo-rollouts-dashboard
app.kubernetes.io/part-of: argo-rollouts
app.kubernetes.io/component: dashboard
{{- end }}

{{- define "serinus.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}
