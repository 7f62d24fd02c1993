{{/* Written by `make generate` from vaportrail_operator/api/rights.py. Change it there. */}}
{{- define "vaportrail.rules" -}}
# For the runs; making and cancelling those of schedules; removing what is over a limit.
- apiGroups: [vaportrail.dev]
  resources: [pipelineruns]
  verbs: [get, list, watch, create, update, delete]
# For the schedules.
- apiGroups: [vaportrail.dev]
  resources: [pipelineschedules]
  verbs: [get, list, watch]
# For what became of them.
- apiGroups: [vaportrail.dev]
  resources: [pipelineruns/status, pipelineschedules/status]
  verbs: [patch]
# For owning what it makes, where the API server asks for this.
- apiGroups: [vaportrail.dev]
  resources: [pipelineruns/finalizers, pipelineschedules/finalizers]
  verbs: [update]
# For what a run is made of.
- apiGroups: [""]
  resources: [pods, services]
  verbs: [get, list, watch, create, delete]
# For the tokens of a run; it can read none.
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, delete]
# For what a run is made of.
- apiGroups: [ray.io]
  resources: [rayclusters]
  verbs: [get, list, watch, create, delete]
# For telling each step on the run or schedule.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# For one installation a namespace.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
# For one installation a namespace.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [vaportrail.dev]
  verbs: [get, update]
{{- end -}}
