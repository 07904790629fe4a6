package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// alerts are the chart's rules as Prometheus reads them, by name.
func alerts(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	rule := find(t, objects(t, Values{"monitoring": monitored}), "PrometheusRule", "queueyard")
	data, err := yaml.Marshal(rule["spec"])
	require.NoError(t, err)
	groups, errs := rulefmt.Parse(data, false)
	require.Empty(t, errs)
	byName := map[string]rulefmt.Rule{}
	for _, r := range groups.Groups[0].Rules {
		require.NotContains(t, byName, r.Alert)
		byName[r.Alert] = r
	}
	return byName
}

// A history is series in the notation of promtool, a value for each minute: 0+10x30 rises by ten 30 times, _ is none.
type history map[string]string

// Each alert fires when it should and not before, and is quiet where nothing is wrong. Nothing else is proven by an expression that parses.
func TestAlerts(t *testing.T) {
	const day = 24 * 60 * 60
	for name, c := range map[string]struct {
		alert   string
		history history
		// quiet and fires are minutes at which nothing fires, and at which fires what has the labels.
		quiet  []int
		fires  []int
		labels string
	}{
		"a queue in which nothing moves": {"QueueStuck", history{
			`queueyard_oldest_wait_seconds{queue="gpu", pod="a"}`: "60+60x90",
			`queueyard_admissions_total{queue="gpu", pod="a"}`:    "0+1x20 20x70",
		}, []int{5, 29, 45}, []int{51, 80}, `{queue="gpu"}`},
		"a queue that never admitted anything": {"QueueStuck", history{
			`queueyard_oldest_wait_seconds{queue="gpu", pod="a"}`: "60+60x90",
			`queueyard_admissions_total{queue="gpu", pod="a"}`:    "0x90",
		}, []int{1, 29}, []int{30, 60}, `{queue="gpu"}`},
		"a queue that goes on": {"QueueStuck", history{
			`queueyard_oldest_wait_seconds{queue="gpu", pod="a"}`: "600x90",
			`queueyard_admissions_total{queue="gpu", pod="a"}`:    "0x15 1x29 2x29 3x29",
		}, []int{1, 29, 35, 44, 60, 90}, nil, ""},
		"a queue that was empty in between": {"QueueStuck", history{
			`queueyard_oldest_wait_seconds{queue="gpu", pod="a"}`: "60+60x20 0 60+60x60",
			`queueyard_admissions_total{queue="gpu", pod="a"}`:    "0x90",
		}, []int{5, 31, 50}, []int{60}, `{queue="gpu"}`},
		"a queue that is stuck while another scheduler comes to lead": {"QueueStuck", history{
			`queueyard_oldest_wait_seconds{queue="gpu", pod="a"}`: "60+60x20 _x70",
			`queueyard_oldest_wait_seconds{queue="gpu", pod="b"}`: "_x21 1320+60x70",
			`queueyard_admissions_total{queue="gpu", pod="b"}`:    "0x90",
		}, []int{22, 29}, []int{35, 90}, `{queue="gpu"}`},
		"the first that a new leader admits": {"QueueStuck", history{
			`queueyard_oldest_wait_seconds{queue="gpu", pod="b"}`: "60+60x90",
			`queueyard_admissions_total{queue="gpu", pod="b"}`:    "0x20 1x70",
		}, []int{30, 45}, nil, ""},
		"a repair": {"Repairs", history{
			`queueyard_repairs_total{kind="lost", pod="a"}`: "0x10 1x60",
			`queueyard_repairs_total{kind="gone", pod="a"}`: "0x70",
		}, []int{5, 9, 40}, []int{11, 20}, `{kind="lost"}`},
		"a scheduler that misses a kind": {"SchedulerNotSynced", history{
			`queueyard_ready{pod="a"}`: "1x10 0x20 1x20",
			`queueyard_ready{pod="b"}`: "1x50",
		}, []int{5, 13, 40}, []int{17, 25}, `{pod="a"}`},
		"no leader": {"NoLeader", history{
			`queueyard_leading{pod="a"}`: "1x10 0x30",
			`queueyard_leading{pod="b"}`: "0x20 1x20",
		}, []int{5, 12, 30}, []int{13, 20}, `{}`},
		"no scheduler": {"NoLeader", history{}, []int{0}, []int{3}, `{}`},
		"a webhook that fails": {"WebhookFailing", history{
			`queueyard_webhook_failures_total{webhook="/pods", pod="a"}`: "0x10 1+1x20 21x30",
			`queueyard_webhook_failures_total{webhook="/jobs", pod="a"}`: "0x60",
		}, []int{5, 12, 50}, []int{20, 30}, `{webhook="/pods"}`},
		"a webhook that failed once": {"WebhookFailing", history{
			`queueyard_webhook_failures_total{webhook="/pods", pod="a"}`: "0x10 1x40",
		}, []int{11, 15, 30}, nil, ""},
		"no controller": {"WebhookDown", history{
			`up{job="queueyard-controller", pod="a"}`: "1x10 0x20",
			`up{job="another", pod="b"}`:              "1x30",
		}, []int{5, 12}, []int{13, 30}, `{}`},
		"one of two controllers": {"WebhookDown", history{
			`up{job="queueyard-controller", pod="a"}`: "0x30",
			`up{job="queueyard-controller", pod="b"}`: "1x30",
		}, []int{5, 30}, nil, ""},
		"a certificate that ends soon": {"CertificateExpires", history{
			`queueyard_webhook_certificate_expiry_timestamp_seconds{pod="a"}`: fmt.Sprintf("%dx60", 30*day+600),
			`queueyard_webhook_certificate_expiry_timestamp_seconds{pod="b"}`: "0x60", // has none yet
		}, []int{0, 9}, []int{11, 60}, `{}`},
		"a certificate that is not made yet": {"CertificateExpires", history{
			`queueyard_webhook_certificate_expiry_timestamp_seconds{pod="a"}`: "0x60",
		}, []int{0, 60}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rule, ok := alerts(t)["Queueyard"+c.alert]
			require.True(t, ok)
			database := loaded(t, c.history)
			for _, minute := range c.quiet {
				require.Empty(t, firing(t, rule, database, minute), "minute %d", minute)
			}
			for _, minute := range c.fires {
				require.Equal(t, []string{c.labels}, firing(t, rule, database, minute), "minute %d", minute)
			}
		})
	}
}

// Every alert has a case above in which it fires, and a row that says what to do.
func TestAlertsAreDocumented(t *testing.T) {
	docs, err := os.ReadFile(filepath.Join(root, "docs", "operate.md"))
	require.NoError(t, err)
	for name, rule := range alerts(t) {
		require.Contains(t, string(docs), "| `"+name+"` |")
		require.Contains(t, []string{"warning", "critical"}, rule.Labels["severity"], name)
		require.NotEmpty(t, rule.Annotations["summary"], name)
		require.NotEmpty(t, rule.Annotations["description"], name)
	}
}

// firing is what a rule has said for as long as it must, evaluated each minute.
func firing(t *testing.T, rule rulefmt.Rule, database storage.Queryable, minute int) []string {
	t.Helper()
	first := minute - int(time.Duration(rule.For)/time.Minute)
	if first < 0 {
		return nil
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 100_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute})
	var always []string
	for m := first; m <= minute; m++ {
		query, err := engine.NewInstantQuery(context.Background(), database, nil, rule.Expr, at(m))
		require.NoError(t, err)
		result := query.Exec(context.Background())
		require.NoError(t, result.Err)
		vector, err := result.Vector()
		require.NoError(t, err)
		var now []string
		for _, sample := range vector {
			now = append(now, labels.NewBuilder(sample.Metric).Del(labels.MetricName).Labels().String())
		}
		query.Close()
		if m == first {
			always = now
		}
		always = slices.DeleteFunc(always, func(l string) bool { return !slices.Contains(now, l) })
	}
	return always
}

func at(minute int) time.Time { return time.Unix(int64(minute)*60, 0) }

// loaded is a database of a history.
func loaded(t *testing.T, h history) storage.Queryable {
	t.Helper()
	var all []promql.Series
	for name, values := range h {
		metric, sequence, err := parser.ParseSeriesDesc(name + " " + values)
		require.NoError(t, err)
		series := promql.Series{Metric: metric}
		for minute, value := range sequence {
			if !value.Omitted {
				series.Floats = append(series.Floats, promql.FPoint{T: at(minute).UnixMilli(), F: value.Value})
			}
		}
		all = append(all, series)
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			set := &seriesSet{}
			for _, s := range all {
				if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.Metric.Get(m.Name)) }) {
					set.rest = append(set.rest, s)
				}
			}
			return set
		},
	}}
}

// seriesSet is a storage.SeriesSet of series in memory.
type seriesSet struct {
	now  promql.Series
	rest []promql.Series
}

func (s *seriesSet) Next() bool {
	if len(s.rest) == 0 {
		return false
	}
	s.now, s.rest = s.rest[0], s.rest[1:]
	return true
}

func (s *seriesSet) At() storage.Series                { return promql.NewStorageSeries(s.now) }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// Alerts and dashboard go by metrics that exist: those of docs/metrics.md, which tests of the programs hold to what they serve, Prometheus'
// own, and one of controller-runtime.
func TestMetricsExist(t *testing.T) {
	docs, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	require.NoError(t, err)
	known := []string{"up", "controller_runtime_webhook_requests_total"}
	expressions := map[string]string{}
	for name, rule := range alerts(t) {
		expressions[name] = rule.Expr
	}
	board := fmt.Sprint(find(t, objects(t, Values{"monitoring": monitored}), "ConfigMap", "queueyard-dashboard").at("data", "queueyard.json"))
	for title, expression := range panels(t, board) {
		expressions[title] = expression
	}
	require.Greater(t, len(expressions), 20)
	for where, expression := range expressions {
		parsed, err := parser.ParseExpr(strings.ReplaceAll(expression, "$queue", ".*"))
		require.NoError(t, err, where)
		parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok && !slices.Contains(known, selector.Name) {
				require.Contains(t, string(docs), "`"+strings.TrimSuffix(selector.Name, "_bucket")+"`", where)
			}
			return nil
		})
	}
}

// panels are the expressions of a Grafana dashboard, by the titles of the panels and their places there.
func panels(t *testing.T, board string) map[string]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(board), &dashboard))
	expressions := map[string]string{}
	for _, panel := range dashboard.Panels {
		for i, target := range panel.Targets {
			expressions[fmt.Sprint(panel.Title, " ", i)] = target.Expr
		}
	}
	return expressions
}
