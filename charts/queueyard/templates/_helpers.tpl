{{/* One installation per cluster: names, and the namespace that the webhooks trust, are fixed. */}}
{{- define "queueyard.check" -}}
{{- if ne .Release.Namespace "queueyard-system" -}}
{{- fail (printf "the namespace is %q: install Queueyard into queueyard-system (helm install ... --namespace queueyard-system --create-namespace)" .Release.Namespace) -}}
{{- end -}}
{{- end -}}

{{/* Labels of what belongs to a component: (list $ "scheduler"). The first is also its selector. */}}
{{- define "queueyard.labels" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: queueyard
{{- end -}}

{{/* The reference of an image: (list $ .Values.scheduler.image). */}}
{{- define "queueyard.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $path := compact (list $root.Values.image.registry $root.Values.image.repository $image.name) | join "/" -}}
{{- if $image.digest -}}
{{ $path }}@{{ $image.digest }}
{{- else -}}
{{ $path }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Where a component's pods run: (list $ .Values.scheduler "queueyard-scheduler"). */}}
{{- define "queueyard.placement" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $name := index . 2 -}}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $component.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
affinity:
  {{- if $component.affinity }}
  {{- toYaml $component.affinity | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {app.kubernetes.io/name: {{ $name }}}
  {{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {app.kubernetes.io/name: {{ $name }}}
{{- end -}}

{{- define "queueyard.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "queueyard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Roles of files/rbac, which are made from markers in the code. */}}
{{- define "queueyard.roles" -}}
{{- range splitList "---\n" . -}}
{{- if trim . }}
---
{{- $role := fromYaml . }}
apiVersion: {{ $role.apiVersion }}
kind: {{ $role.kind }}
metadata:
  {{- toYaml $role.metadata | nindent 2 }}
  labels:
    app.kubernetes.io/part-of: queueyard
rules:
  {{- range $role.rules }}
  - {{ toJson . }}
  {{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the cluster and the queues themselves stand on never waits for the webhook. */}}
{{- define "queueyard.excluded" -}}
[{{ concat (list "kube-system" "queueyard-system") .Values.webhook.excludedNamespaces | uniq | join ", " }}]
{{- end -}}
