package drill

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// The kernel maps code into every process that tells the time. Go's runtime looks for the first of these functions when
// it begins, and keeps its address. It never calls the second one, so that its place is free for another clock.
const (
	clockFunction = "__vdso_clock_gettime"
	unusedHere    = "__vdso_clock_getres"
)

// freezeTime is how long the threads of a process may take to stand.
const freezeTime = 10 * time.Second

// skewedClock is the code of a clock_gettime that adds seconds to the wall clock; the monotonic one stays as it is. It
// changes no more registers than a function may.
func skewedClock(seconds int32) []byte {
	code := []byte{
		0xb8, 0xe4, 0, 0, 0, // mov eax, 228 (the system call clock_gettime)
		0x0f, 0x05, // syscall
		0x85, 0xff, // test edi, edi (CLOCK_REALTIME is 0)
		0x75, 0x07, // jnz over the addition
		0x48, 0x81, 0x06, // add qword [rsi], ...
	}
	code = binary.LittleEndian.AppendUint32(code, uint32(seconds))
	return append(code, 0xc3) // ret
}

// skewClock moves the wall clock of a running Go program, as it sees it, by whole seconds. What it returns gives it the
// right one back.
//
// The function that is called is not changed, but which one is called: a thread may stand anywhere in it, also below a
// signal's handler, where nobody sees it.
func skewClock(pid int, offset time.Duration) (restore func() error, err error) {
	right, _, err := vdsoFunction(pid, clockFunction)
	if err != nil {
		return nil, err
	}
	place, size, err := vdsoFunction(pid, unusedHere)
	if err != nil {
		return nil, err
	}
	code := skewedClock(int32(offset / time.Second))
	if size < uint64(len(code)) {
		return nil, fmt.Errorf("%s of process %d has only %d bytes", unusedHere, pid, size)
	}
	called, err := findWord(pid, right)
	if err != nil {
		return nil, fmt.Errorf("where process %d keeps the address of its clock: %w", pid, err)
	}
	if err := write(pid, place, code); err != nil {
		return nil, err
	}
	if err := write(pid, called, word(place)); err != nil {
		return nil, err
	}
	return func() error { return write(pid, called, word(right)) }, nil
}

func word(value uint64) []byte { return binary.LittleEndian.AppendUint64(nil, value) }

// vdsoFunction is where a process has a function of the kernel's, and how large it is.
func vdsoFunction(pid int, name string) (address, size uint64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	var start, end uint64
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			if _, err := fmt.Sscanf(line, "%x-%x", &start, &end); err != nil {
				return 0, 0, fmt.Errorf("the map of process %d: %w", pid, err)
			}
		}
	}
	if end == 0 {
		return 0, 0, fmt.Errorf("process %d has no vdso", pid)
	}
	image, err := read(pid, start, end-start)
	if err != nil {
		return 0, 0, err
	}
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, 0, fmt.Errorf("the vdso of process %d: %w", pid, err)
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, 0, fmt.Errorf("the vdso of process %d: %w", pid, err)
	}
	for _, s := range symbols {
		if s.Name == name {
			return start + s.Value, s.Size, nil
		}
	}
	return 0, 0, fmt.Errorf("the vdso of process %d has no %s", pid, name)
}

// findWord is where the one variable of a program is that has a value.
func findWord(pid int, value uint64) (address uint64, err error) {
	program, err := elf.Open(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return 0, err
	}
	defer program.Close()
	if program.Type != elf.ET_EXEC {
		return 0, errors.New("the program may lie anywhere in memory (it is position-independent)")
	}
	var found []uint64
	for _, segment := range program.Progs {
		if segment.Type != elf.PT_LOAD || segment.Flags&elf.PF_W == 0 {
			continue
		}
		variables, err := read(pid, segment.Vaddr, segment.Memsz)
		if err != nil {
			return 0, err
		}
		for i := 0; i+8 <= len(variables); i += 8 {
			if binary.LittleEndian.Uint64(variables[i:]) == value {
				found = append(found, segment.Vaddr+uint64(i))
			}
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d variables have that value instead of one", len(found))
	}
	return found[0], nil
}

func read(pid int, address, size uint64) ([]byte, error) {
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, err
	}
	defer memory.Close()
	data := make([]byte, size)
	_, err = memory.ReadAt(data, int64(address))
	return data, err
}

// write changes the memory of a process while it stands. Who may trace it may also change its code.
func write(pid int, address uint64, data []byte) error {
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	if err := freeze(pid); err != nil {
		return err
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = memory.WriteAt(data, int64(address))
	return errors.Join(err, memory.Close())
}

// freeze stops a process and waits until all its threads stand.
func freeze(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	err := wait.PollUntilContextTimeout(context.Background(), time.Millisecond, freezeTime, true, func(context.Context) (bool, error) { return threadsStand(pid) })
	if err != nil {
		return fmt.Errorf("stop process %d: %w", pid, err)
	}
	return nil
}

func threadsStand(pid int) (bool, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false, err
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has just ended
		}
		if err != nil {
			return false, err
		}
		// The name, in parentheses, may hold anything. The state follows it.
		if state := text[bytes.LastIndexByte(text, ')')+1:]; !bytes.HasPrefix(state, []byte(" T")) {
			return false, nil
		}
	}
	return true, nil
}
