{{/* A Service's name has no dots and starts with a letter; a release's may have them, and start with a digit. */}}
{{- define "vaportrail.name" -}}
{{- $name := .Release.Name | replace "." "-" -}}
{{- if regexMatch "^[0-9]" $name -}}
{{- $name = printf "%s-%s" .Chart.Name $name -}}
{{- else if not (contains .Chart.Name $name) -}}
{{- $name = printf "%s-%s" $name .Chart.Name -}}
{{- end -}}
{{- $name | trunc 50 | trimAll "-" -}}
{{- end -}}

{{/* The name of what lies in no namespace: two releases of one name must not share it. */}}
{{- define "vaportrail.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "vaportrail.name" .) -}}
{{- end -}}

{{- define "vaportrail.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "vaportrail.name" .) -}}
{{- end -}}

{{- define "vaportrail.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "vaportrail.labels" -}}
{{ include "vaportrail.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- /* They give way: objects are found by the others. */}}
{{- range $name, $value := omit (.Values.commonLabels | default dict) "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* An image's full name; its digest counts more than its tag. */}}
{{- define "vaportrail.image" -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository .tag -}}
{{- end -}}
{{- end -}}

{{- define "vaportrail.pullSecretNames" -}}
{{- range $index, $secret := .Values.imagePullSecrets }}{{ if $index }},{{ end }}{{ $secret.name }}{{ end -}}
{{- end -}}

{{/* What PodSecurity `restricted` asks of a pod, and of its containers. */}}
{{- define "vaportrail.podSecurityContext" -}}
runAsNonRoot: true
{{- range $name, $value := .Values.securityContext | default dict }}
{{- if not (kindIs "invalid" $value) }}
{{ $name }}: {{ $value | toJson }}
{{- end }}
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "vaportrail.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* What holds for all pods of runs, as the operator reads it. */}}
{{- define "vaportrail.runPods" -}}
{{- $given := .Values.runPods | default dict -}}
{{- $labels := merge (dict) ($given.labels | default dict) (.Values.commonLabels | default dict) -}}
{{- $user := $given.securityContext | default dict -}}
{{- merge (dict "labels" $labels "securityContext" $user) $given | toJson -}}
{{- end -}}
