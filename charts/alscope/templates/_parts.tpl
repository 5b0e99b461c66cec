{{/* The beginning of every name, none of which is longer than 63 characters: valid for a Service, whatever the release is
called. */}}
{{- define "alscope.prefix" -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- if and (contains "alscope" $release) (regexMatch "^[a-z]" $release) -}}
{{- $release | trunc 49 | trimSuffix "-" -}}
{{- else -}}
{{- printf "alscope-%s" $release | trunc 49 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "alscope.fullname" -}}
{{- include "alscope.prefix" . }}-operator
{{- end -}}

{{- define "alscope.collector" -}}
{{- include "alscope.prefix" . }}-collector
{{- end -}}

{{- define "alscope.drain" -}}
{{- include "alscope.prefix" . }}-drain
{{- end -}}

{{- define "alscope.selector" -}}
app.kubernetes.io/name: alscope-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "alscope.labels" -}}
app.kubernetes.io/part-of: alscope
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "alscope.image" -}}
{{- .image.repository }}:{{ .image.tag | default .version }}
{{- end -}}

{{/* The rules of a generated file. */}}
{{- define "alscope.rules" -}}
{{- .root.Files.Get (printf "files/%s" .file) | fromYamlArray | toYaml -}}
{{- end -}}

{{/* The same, with these names in place of those of the file. A rule without names would be one for every object. */}}
{{- define "alscope.named-rules" -}}
{{- if not .names -}}
{{- fail "mesh.revisions is empty; list at least one revision, for example default" -}}
{{- end -}}
{{- $rules := list -}}
{{- range $rule := .root.Files.Get (printf "files/%s" .file) | fromYamlArray -}}
{{- if hasKey $rule "resourceNames" -}}
{{- $_ := set $rule "resourceNames" $.names -}}
{{- end -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- toYaml $rules -}}
{{- end -}}

{{/* What every container here may do to its node: nothing. */}}
{{- define "alscope.security" -}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
  readOnlyRootFilesystem: true
{{- end -}}

{{- define "alscope.pod-security" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "alscope.scheduling" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}
