package ledger

import "maps"

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
	delete(l.changedProjects, p)
	l.setOrganization(p, nil)
}

// retainOwner is the owner of those names, of which either may be empty, with one more reason to keep
// it.
func (l *Ledger) retainOwner(project, workflow string) owner {
	o := owner{}
	if project != "" {
		o.project = l.projectNamed(project)
	}
	if workflow != "" {
		o.workflow = l.workflowNamed(workflow)
	}
	o.retain()
	return o
}

func (o owner) retain() {
	if o.project != nil {
		o.project.refs++
	}
	if o.workflow != nil {
		o.workflow.refs++
	}
}

func (l *Ledger) releaseOwner(o owner) {
	if o.project != nil {
		o.project.refs--
		l.dropProject(o.project)
	}
	if o.workflow != nil {
		o.workflow.refs--
		l.dropWorkflow(o.workflow)
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
		delete(l.changedOrganizations, o)
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
		l.noteProject(p)
		l.rejudge(maps.Keys(p.shapes))
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
	l.rejudge(maps.Keys(p.shapes))
	l.dropProject(p)
}

func (l *Ledger) setOrganization(p *project, to *organization) {
	from := p.organization
	if from == to {
		return
	}
	l.noteOrganization(from)
	l.noteOrganization(to)
	var target *limitNode
	if from != nil {
		delete(from.projects, p)
	}
	if to != nil {
		target = &to.limitNode
		to.projects[p] = struct{}{}
	}
	p.organization = to
	l.rehang(&p.limitNode, target, maps.Keys(p.shapes))
	if from != nil {
		l.dropOrganization(from)
	}
}

// SetOrganization creates an organization or changes its limits.
func (l *Ledger) SetOrganization(name string, limits Limits) {
	o := l.organizationNamed(name)
	o.exists = true
	if l.setLimits(&o.limitNode, limits) {
		l.noteOrganization(o)
		for p := range o.projects {
			l.rejudge(maps.Keys(p.shapes))
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
		l.rejudge(maps.Keys(p.shapes))
	}
	l.dropOrganization(o)
}
