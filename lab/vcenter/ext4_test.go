package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// image copies a view to a sparse file.
func image(t *testing.T, v view, capacity int64) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "disk.img"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(capacity); err != nil {
		t.Fatal(err)
	}
	for _, x := range v.extents(0, capacity, 1<<30) {
		if !x.data {
			continue
		}
		buffer := make([]byte, x.length)
		if err := v.readAt(buffer, x.offset); err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(buffer, x.offset); err != nil {
			t.Fatal(err)
		}
	}
	return file.Name()
}

func checkExt4(t *testing.T, v view, capacity int64) {
	t.Helper()
	tool, err := exec.LookPath("e2fsck")
	if err != nil {
		t.Skip("e2fsck is not installed (package e2fsprogs)")
	}
	if out, err := exec.Command(tool, "-fn", image(t, v, capacity)).CombinedOutput(); err != nil {
		t.Fatalf("e2fsck -fn: %v\n%s", err, out)
	}
}

func newStore(t *testing.T) *store {
	t.Helper()
	s, err := openStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s
}

func TestFilledDisksHoldValidExt4(t *testing.T) {
	for _, mib := range []int64{16, 129, 300} {
		s := newStore(t)
		if _, err := fillExt4(s, mib<<20, 7, "web-01"); err != nil {
			t.Fatalf("%d MiB: %v", mib, err)
		}
		checkExt4(t, s.liveView(), mib<<20)
	}
}

func TestSameSeedGivesSameDisk(t *testing.T) {
	var sums []string
	for range 2 {
		s := newStore(t)
		if _, err := fillExt4(s, 32<<20, 42, "web-01"); err != nil {
			t.Fatal(err)
		}
		d, err := s.liveView().hash(32<<20, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, d.SHA256)
	}
	if sums[0] != sums[1] {
		t.Fatal("two fills with one seed differ")
	}
}
