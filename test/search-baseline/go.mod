module github.com/queueyard/queueyard/test/search-baseline

go 1.26.0

replace github.com/queueyard/queueyard => ../..

require (
	github.com/c-bata/goptuna v0.9.0
	github.com/queueyard/queueyard v0.0.0
)

require (
	golang.org/x/tools v0.41.0 // indirect
	gonum.org/v1/gonum v0.17.0 // indirect
)
