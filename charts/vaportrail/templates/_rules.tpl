{{/* What the operator may do in the namespaces that it serves; docs/kubernetes.md says why. */}}
{{- define "vaportrail.rules" -}}
- apiGroups: [vaportrail.dev]
  resources: [pipelineruns]
  verbs: [get, list, watch, delete]
- apiGroups: [vaportrail.dev]
  resources: [pipelineruns/status]
  verbs: [patch]
# Where the API server asks for it, an owner that blocks its own deletion.
- apiGroups: [vaportrail.dev]
  resources: [pipelineruns/finalizers]
  verbs: [update]
- apiGroups: [ray.io]
  resources: [rayclusters]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [pods, services]
  verbs: [get, list, watch, create, delete]
# Never read: neither the tokens that it makes nor anybody else's Secret.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# Which of two installations brings on the runs of a namespace.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [vaportrail.dev]
  verbs: [get, update]
{{- end -}}
