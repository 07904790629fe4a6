package ledger

import "slices"

func (l *Ledger) projectNamed(name string) *project {
	p := l.projects[name]
	if p == nil {
		p = &project{limitNode: unlimited(Project, name), shapes: map[*shape]struct{}{}}
		l.projects[name] = p
	}
	return p
}

// dropProject forgets a project that is neither set nor named by a pod.
func (l *Ledger) dropProject(p *project) {
	if p.exists || p.refs > 0 {
		return
	}
	delete(l.projects, p.name)
	l.setOrganization(p, nil)
}

// retainProject is the project of that name, or nil for none, with one more reason to keep it.
func (l *Ledger) retainProject(name string) *project {
	if name == "" {
		return nil
	}
	p := l.projectNamed(name)
	p.refs++
	return p
}

func (l *Ledger) releaseProject(p *project) {
	if p != nil {
		p.refs--
		l.dropProject(p)
	}
}

func (l *Ledger) organizationNamed(name string) *organization {
	o := l.organizations[name]
	if o == nil {
		o = &organization{limitNode: unlimited(Organization, name), projects: map[*project]struct{}{}}
		l.organizations[name] = o
	}
	return o
}

func (l *Ledger) dropOrganization(o *organization) {
	if !o.exists && len(o.projects) == 0 {
		delete(l.organizations, o.name)
	}
}

// SetProject creates a project or changes it. What it holds moves with it to another organization.
func (l *Ledger) SetProject(name, organization string, limits Limits) {
	p := l.projectNamed(name)
	p.exists = true
	changed := l.setLimits(&p.limitNode, limits)
	if organization == "" {
		l.setOrganization(p, nil)
	} else {
		l.setOrganization(p, l.organizationNamed(organization))
	}
	if changed {
		l.rejudge(p.shapes)
	}
}

// DeleteProject takes a project's limits away. While pods name it, its organization's still hold.
func (l *Ledger) DeleteProject(name string) {
	p := l.projects[name]
	if p == nil || !p.exists {
		return
	}
	p.exists = false
	l.setLimits(&p.limitNode, noLimits)
	l.rejudge(p.shapes)
	l.dropProject(p)
}

func (l *Ledger) setOrganization(p *project, to *organization) {
	from := p.organization
	if from == to {
		return
	}
	for _, r := range slices.Clone(l.reservations) {
		if r.pod.project == p {
			l.endReservation(r.pod.op.queue)
		}
	}
	// Shapes must not stay at the gates of the organization they leave.
	for s := range p.shapes {
		l.hide(s)
	}
	p.organization = to
	var source, target *limitNode
	if from != nil {
		source = &from.limitNode
		delete(from.projects, p)
	}
	if to != nil {
		target = &to.limitNode
		to.projects[p] = struct{}{}
	}
	l.move(&p.limitNode, source, target)
	for s := range p.shapes {
		s.never = s.neverFits()
		l.show(s)
		l.exposeHead(s.queue)
	}
	if from != nil {
		l.dropOrganization(from)
	}
}

// SetOrganization creates an organization or changes its limits.
func (l *Ledger) SetOrganization(name string, limits Limits) {
	o := l.organizationNamed(name)
	o.exists = true
	if l.setLimits(&o.limitNode, limits) {
		for p := range o.projects {
			l.rejudge(p.shapes)
		}
	}
}

// DeleteOrganization takes an organization's limits away.
func (l *Ledger) DeleteOrganization(name string) {
	o := l.organizations[name]
	if o == nil || !o.exists {
		return
	}
	o.exists = false
	l.setLimits(&o.limitNode, noLimits)
	for p := range o.projects {
		l.rejudge(p.shapes)
	}
	l.dropOrganization(o)
}
