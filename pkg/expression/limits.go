package expression

// What one template and one evaluation may take. An expression is written by a user and runs in the
// controller: none may keep it from serving others.
const (
	// MaxTemplateBytes bounds the strings and keys of a template together. An object in etcd is no larger.
	MaxTemplateBytes = 1 << 20
	// MaxExpressions bounds the expressions of a template.
	MaxExpressions = 500
	// MaxExpressionBytes bounds one expression.
	MaxExpressionBytes = 8 << 10
	// MaxRenderedBytes bounds what a template renders to, and any string on the way.
	MaxRenderedBytes = 1 << 20
	// MaxErrors bounds how many errors are told at once.
	MaxErrors = 20

	// maxCost bounds what one rendering may take: calls, loop steps times the size of the expression, and
	// the bytes and elements that calls look at. It is less than a second.
	maxCost = 5_000_000
	// maxRange bounds the list that lists.range makes.
	maxRange = 100_000
	// maxNesting bounds how deep lists, maps and loops of an expression are nested: CEL's checker takes time that grows with
	// the fourth power of it.
	maxNesting = 24
	// lookEvery is how many loop steps pass between looks at the context.
	lookEvery = 1000

	cachedEnvironments = 64
	cachedPrograms     = 256
)
