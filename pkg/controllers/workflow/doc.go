// Package workflow expands workflows: it makes an Operation or a nested Workflow for each step or trial that may
// begin, follows what becomes of them, and stops or repeats them. What is decided is pure (pkg/workflow); what
// a child looks like is, too (pkg/workflow/plan). Memory is a cache of the children in the API.
package workflow
