package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	etcdbackup "go.etcd.io/etcd/client/v3/snapshot"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/test/audit"
)

// backUp does what etcdctl snapshot save does.
func (s *scenario) backUp() (file string) {
	s.Helper()
	file = filepath.Join(s.TempDir(), "etcd.db")
	socket := "unix://" + filepath.Join(string(s.sandbox.Dir()), "etcd.sock:1")
	_, err := etcdbackup.SaveWithVersion(s.Context(), zap.NewNop(), clientv3.Config{Endpoints: []string{socket}}, file)
	require.NoError(s, err)
	return file
}

// setBack starts the control plane on what etcdutl snapshot restore makes of a backup. All else goes on meanwhile, and meets it
// again as soon as nobody leads, or at once.
func (s *scenario) setBack(file string, nobodyLeads bool) {
	s.Helper()
	data := s.sandbox.Dir().Etcd()
	const peer = "unix://etcd.sock:2"
	require.NoError(s, os.RemoveAll(data+".before"))
	require.NoError(s, snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: file, OutputDataDir: data + ".restored",
		Name: "default", PeerURLs: []string{peer}, InitialCluster: "default=" + peer, InitialClusterToken: "restored",
		RevisionBump: 1_000_000_000, MarkCompacted: true,
	}))
	require.NoError(s, s.sandbox.Signal(sandbox.ControlPlane, syscall.SIGSTOP))
	if nobodyLeads {
		s.startAnew(func() {})
	}
	require.NoError(s, os.Rename(data, data+".before"))
	require.NoError(s, os.Rename(data+".restored", data))
	require.NoError(s, s.sandbox.Kill(sandbox.ControlPlane))
	s.eventually("the API server answers", func() (bool, any) {
		raw, err := s.client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(s.Context())
		return err == nil, fmt.Sprint(string(raw), err)
	})
}

// startAnew waits until scheduler and controller have ended and were started again because of something.
func (s *scenario) startAnew(because func()) {
	s.Helper()
	before := restarts(s)
	because()
	s.eventually("scheduler and controller start anew", func() (bool, any) {
		now := restarts(s)
		return now[sandbox.Scheduler] > before[sandbox.Scheduler] && now[sandbox.Controller] > before[sandbox.Controller], now
	})
}

// restarts is how often each component was started again.
func restarts(s *scenario) map[string]int {
	s.Helper()
	components, _, err := s.sandbox.Status()
	require.NoError(s, err)
	out := map[string]int{}
	for _, c := range components {
		out[c.Name] = c.Restarts
	}
	return out
}

// diary is where scripts write that they began, and where they find that they may go on.
type diary struct {
	*scenario
	dir string
}

// shell is a template that enters its process in the diary, and ends when it may.
func (d diary) shell(name string) *v1alpha1.RunTemplate { return shell(d.script(name)) }

func (d diary) script(name string) string {
	return fmt.Sprintf(`echo $BASHPID >> %[1]s/%[2]s; until [ -e %[1]s/%[2]s.ends ]; do sleep 0.1; done; printf '{"said": "%[2]s"}' > "$TERMINATION_MESSAGE_PATH"`, d.dir, name)
}

// let says that a script may end.
func (d diary) let(names ...string) {
	d.Helper()
	for _, name := range names {
		require.NoError(d, os.WriteFile(filepath.Join(d.dir, name+".ends"), nil, 0o600))
	}
}

// processes are those that began a script.
func (d diary) processes(name string) (pids []int) {
	d.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, name))
	if !os.IsNotExist(err) {
		require.NoError(d, err)
	}
	for _, line := range strings.Fields(string(text)) {
		var pid int
		_, err := fmt.Sscan(line, &pid)
		require.NoError(d, err)
		pids = append(pids, pid)
	}
	return pids
}

// gone waits for the end of a process.
func (d diary) gone(name string, pid int) {
	d.Helper()
	d.eventually(fmt.Sprintf("process %d of %s is gone", pid, name), func() (bool, any) {
		err := syscall.Kill(pid, 0)
		return err == syscall.ESRCH, err
	})
}

// etcd is set back to a backup while operations and a workflow run and wait. What was in the backup comes to its end; what runs
// goes on and is not repeated, what has ended meanwhile is told again by its node, what nobody can tell of any more runs again, and what
// came after the backup is gone. No limit is broken, and no node is started again.
func TestRestoreOfEtcd(t *testing.T) {
	s := begin(t, "restore")
	d := diary{s, t.TempDir()}
	q, wide := s.queue("q", seats(4)), s.queue("wide", seats(3), budget("1000", "24h"))
	operation := func(name string) *v1alpha1.Operation { return s.operation(name, q, d.shell(name)) }

	d.let("done")
	s.create(operation("done"))
	done := s.reach("done", v1alpha1.StatusSucceeded)
	for _, name := range []string{"lasts", "ends", "evicted"} {
		s.create(operation(name))
		s.reach(name, v1alpha1.StatusRunning)
	}
	d.let("first", "third")
	s.workflow("w", q, `
entrypoint: main
templates:`+script("first", d.script("first"))+script("second", d.script("second"))+script("third", d.script("third"))+`
- name: main
  dag:
    operations:
    - {name: first, template: first}
    - {name: second, template: second, dependsOn: [first]}
    - {name: third, template: third, dependsOn: [second]}
`)
	s.eventually("the workflow is midway", func() (bool, any) {
		steps := s.stepsOf("w")
		return steps["first"] == v1alpha1.StatusSucceeded && steps["second"] == v1alpha1.StatusRunning, steps
	})
	s.create(operation("waits"))
	s.reach("waits", v1alpha1.StatusQueued)
	job := func(i int) client.Object {
		return s.job(fmt.Sprintf("job-%d", i), wide, declaring(simulated("2"), "3600"))
	}
	s.create(job(0))
	s.eventually("the budget is accounted", func() (bool, any) {
		b, _ := s.accounts(wide)
		return b.Spent != "" && b.Spent != "0.00", b
	})
	s.until("the first succeeds", wide, succeed(1))
	const jobs = 15
	var all []client.Object
	for i := 1; i < jobs; i++ {
		all = append(all, job(i))
	}
	s.createTogether(all)
	s.until("some run and others wait", wide, func(c counts) bool { return c.running == 3 && c.waiting > 0 })
	accounted, _ := s.accounts(wide)
	file := s.backUp()

	// What happens now will not have happened.
	d.let("ends", "second", "waits")
	s.ends("w", v1alpha1.StatusSucceeded)
	s.reach("ends", v1alpha1.StatusSucceeded)
	require.NoError(t, s.objects.Delete(t.Context(), s.reach("waits", v1alpha1.StatusSucceeded)))
	evict(s, s.reach("evicted", v1alpha1.StatusRunning).Status.Run.Name)
	s.eventually("what was evicted runs again", func() (bool, any) { return len(d.processes("evicted")) == 2, d.processes("evicted") })
	s.create(operation("later"))
	s.reach("later", v1alpha1.StatusRunning)
	s.editQueue(wide, seats(6))
	s.until("more end", wide, func(c counts) bool { return c.succeeded > jobs/2 })
	for _, v := range s.audit.Stop() {
		t.Errorf("violation before the restore: %s", v)
	}
	known := restarts(s)

	s.setBack(file, true)
	var err error
	config := audit.DefaultConfig()
	config.StuckAfter = patience / 2 // nobody leads before the lease of the one before has run out
	s.audit, err = audit.Watch(t.Context(), s.config, config, nil)
	require.NoError(t, err)

	op := s.reach("done", v1alpha1.StatusSucceeded)
	require.Equal(t, done.Status, op.Status)
	op = s.reach("ends", v1alpha1.StatusSucceeded)
	require.JSONEq(t, `{"said": "ends"}`, string(encoded(op.Status.Outputs).Raw), "its node still knew")
	d.gone("later", d.processes("later")[0])
	require.True(t, apierrors.IsNotFound(s.objects.Get(t.Context(), client.ObjectKeyFromObject(operation("later")), op)))
	d.gone("evicted", d.processes("evicted")[1])
	d.let("evicted")
	op = s.reach("evicted", v1alpha1.StatusSucceeded)
	require.EqualValues(t, 2, op.Status.Attempt)
	require.EqualValues(t, 0, op.Status.Retries)
	s.reach("waits", v1alpha1.StatusSucceeded)
	s.ends("w", v1alpha1.StatusSucceeded)
	require.NoError(t, syscall.Kill(d.processes("lasts")[0], 0), "what ran all the time goes on")
	d.let("lasts")
	op = s.reach("lasts", v1alpha1.StatusSucceeded)
	require.EqualValues(t, 1, op.Status.Attempt)
	times := map[string]int{}
	for _, name := range []string{"done", "lasts", "ends", "waits", "evicted", "first", "second", "third"} {
		times[name] = len(d.processes(name))
	}
	require.Equal(t, map[string]int{"done": 1, "lasts": 1, "ends": 1, "first": 1, "second": 1,
		"waits": 2, "third": 2, // waited at the time of the backup
		"evicted": 3, // the backup's, the one that nobody knows, and the one after
	}, times)

	s.until("all succeed", wide, succeed(jobs))
	require.Equal(t, 3, s.peak(wide), "the limit is that of the backup again")
	s.eventually("the budget goes on from the backup", func() (bool, any) {
		b, _ := s.accounts(wide)
		return spent(s, b) > spent(s, accounted), b
	})
	now := restarts(s)
	require.Equal(t, known[sandbox.ProcessNode], now[sandbox.ProcessNode], "the node was not started again")
}

// Leaders that are still there when etcd is set back know things that have not happened: they find out, and start anew.
func TestRestoreUnderLeaders(t *testing.T) {
	s := begin(t, "restore-quick")
	q := s.queue("q", seats(2))
	file := s.backUp()
	s.editQueue(q, seats(1))
	renewed := func() (versions []string) {
		for _, name := range []string{"queueyard-scheduler", "queueyard-controller"} {
			lease, err := s.client.CoordinationV1().Leases("queueyard-system").Get(t.Context(), name, metav1.GetOptions{})
			require.NoError(t, err)
			versions = append(versions, lease.ResourceVersion)
		}
		return versions
	}
	before := renewed()
	s.eventually("both renew their leases", func() (bool, any) {
		now := renewed()
		return now[0] != before[0] && now[1] != before[1], now
	})
	s.startAnew(func() { s.setBack(file, false) })
	for _, name := range []string{"a", "b"} {
		s.eventually("the webhook is back", func() (bool, any) {
			err := s.objects.Create(t.Context(), s.job(name, q, simulated("600")))
			return err == nil, err
		})
	}
	s.until("the limit of the backup is in force", q, func(c counts) bool { return c.running == 2 })
}

func spent(s *scenario, b v1alpha1.BudgetStatus) cost.Micros {
	s.Helper()
	amount, err := cost.Parse(b.Spent)
	require.NoError(s, err)
	return amount
}
