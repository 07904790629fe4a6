package v1alpha1

import corev1 "k8s.io/api/core/v1"

// AddAgents adds what the agents in other clusters count.
func (s *QueueStatus) AddAgents() {
	for i := range s.Agents {
		a := &s.Agents[i]
		s.Pending += a.Pending
		s.Admitted += a.Admitted
		s.Running += a.Running
		for name, n := range a.Usage {
			if s.Usage == nil {
				s.Usage = corev1.ResourceList{}
			}
			total := s.Usage[name]
			total.Add(n)
			s.Usage[name] = total
		}
	}
}
