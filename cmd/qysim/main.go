// Command qysim tells how long operations would wait in queues that do not exist yet.
package main

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/queueyard/queueyard/pkg/version"
	"github.com/queueyard/queueyard/test/sim"
)

func main() {
	if command().Execute() != nil {
		os.Exit(1)
	}
}

// options is the command line.
type options struct {
	manifests []string
	load      string
	seed      uint64
	trace     string
	mapping   sim.Mapping
	scale     bool
	json      bool
	rows      int
}

func command() *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "qysim -f QUEUES.yaml (--load LOAD.yaml | --swf TRACE.swf --map user|group|queue)",
		Short: "Simulate a load on queues before setting them",
		Long: `Qysim plays a load against the manifests of agents, queues, projects and organizations in virtual
time and says how long operations would wait and how well the limits would be used. It decides with
the same code as the scheduler. It simulates no nodes: what is admitted runs at once.`,
		Version:      version.String(),
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.OutOrStdout(), cmd.Flags().Changed("seed"))
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.manifests, "filename", "f", nil, "manifests of agents, queues, projects and organizations; may be given again")
	flags.StringVar(&o.load, "load", "", "the load: a file of streams")
	flags.Uint64Var(&o.seed, "seed", 0, "seed in place of the load's")
	flags.StringVar(&o.trace, "swf", "", "a trace in the Standard Workload Format, plain or .gz")
	flags.StringVar((*string)(&o.mapping.By), "map", "", "send the trace's jobs to queues named by their user, group or queue, such as user-12")
	flags.StringVar(&o.mapping.Queue, "queue", "", "send the trace's jobs to this queue")
	flags.BoolVar(&o.scale, "scale", false, "simulate 1 million operations in 1,000 queues on 10,000 seats")
	flags.BoolVar(&o.json, "json", false, "report in JSON")
	flags.IntVar(&o.rows, "rows", 20, "show so many queues in the table; 0 shows all")
	return cmd
}

func (o *options) run(to io.Writer, seeded bool) error {
	plan, load, err := o.read()
	if err != nil {
		return err
	}
	s, err := sim.New(plan)
	if err != nil {
		return err
	}
	if load != nil {
		if seeded {
			load.Seed = o.seed
		}
		if err := s.AddLoad(load); err != nil {
			return in(o.load, err)
		}
	}
	if o.trace != "" {
		trace, closeTrace, err := open(o.trace)
		if err != nil {
			return err
		}
		defer closeTrace()
		if err := s.AddTrace(sim.NewTrace(o.trace, trace), o.mapping); err != nil {
			return err
		}
	}
	began := time.Now()
	report, err := s.Run()
	if err != nil {
		return err
	}
	return o.write(to, report, time.Since(began))
}

func (o *options) read() (*sim.Plan, *sim.Load, error) {
	if o.scale {
		if o.load != "" || o.trace != "" || len(o.manifests) > 0 {
			return nil, nil, errors.New("--scale brings its own queues and load: give it alone")
		}
		plan, load := sim.Scale(1_000_000, 1_000, 10_000)
		return plan, load, nil
	}
	if o.load == "" && o.trace == "" {
		return nil, nil, errors.New("there is no load: give --load, --swf or --scale")
	}
	plan := sim.NewPlan()
	for _, name := range o.manifests {
		if err := read(name, plan.Read); err != nil {
			return nil, nil, err
		}
	}
	if o.load == "" {
		return plan, nil, nil
	}
	var load *sim.Load
	err := read(o.load, func(r io.Reader) (err error) {
		load, err = sim.ReadLoad(r)
		return err
	})
	return plan, load, err
}

func read(name string, parse func(io.Reader) error) error {
	r, closeFile, err := open(name)
	if err != nil {
		return err
	}
	defer closeFile()
	return in(name, parse(r))
}

// open opens a file, - being standard input.
func open(name string) (r io.Reader, closeFile func(), err error) {
	if name == "-" {
		return os.Stdin, func() {}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	closeFile = func() { _ = f.Close() } // it was only read
	if !strings.HasSuffix(name, ".gz") {
		return f, closeFile, nil
	}
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		closeFile()
		return nil, nil, in(name, err)
	}
	return unpacked, closeFile, nil
}

func in(file string, err error) error {
	if err == nil || file == "" {
		return err
	}
	return fmt.Errorf("%s: %w", file, err)
}

// real is what the simulation took on this machine.
type real struct {
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"operationsPerSecond"`
	// Memory in bytes that was obtained from the system.
	Memory uint64 `json:"memory"`
}

func (o *options) write(to io.Writer, report *sim.Report, took time.Duration) error {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	spent := real{took.Seconds(), float64(report.Operations.Completed) / took.Seconds(), memory.Sys}
	if o.json {
		encoder := json.NewEncoder(to)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			*sim.Report
			Real real `json:"real"`
		}{report, spent})
	}
	if err := report.WriteTable(to, o.rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(to, "\nSimulated in %s: %.0f operations a second, %d MiB.\n",
		took.Round(time.Millisecond), spent.PerSecond, spent.Memory>>20)
	return err
}
