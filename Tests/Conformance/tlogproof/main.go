// Checks a C2SP tlog-proof of an entry with Go's own transparency log code (golang.org/x/mod/sumdb), which shares no line with ours.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run main.go PROOF VKEY ENTRY
//
// Prints the index and the tree's size; exit status 1 and the reason otherwise.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: main.go PROOF VKEY ENTRY")
		os.Exit(2)
	}
	index, size, err := check(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, "NOT GOOD:", err)
		os.Exit(1)
	}
	fmt.Printf("good: entry %d of %d\n", index, size)
}

func check(proofFile, vkey, entryFile string) (int64, int64, error) {
	text, err := os.ReadFile(proofFile)
	if err != nil {
		return 0, 0, err
	}
	entry, err := os.ReadFile(entryFile)
	if err != nil {
		return 0, 0, err
	}
	head, checkpoint, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return 0, 0, fmt.Errorf("%s is no tlog-proof", proofFile)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return 0, 0, err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, 0, err
		}
		proof = append(proof, hash)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return 0, 0, err
	}
	opened, err := note.Open([]byte(checkpoint), note.VerifierList(verifier))
	if err != nil {
		return 0, 0, err
	}
	tree, err := tlog.ParseTree([]byte("go.sum database tree" + opened.Text[strings.Index(opened.Text, "\n"):]))
	if err != nil {
		return 0, 0, err
	}
	return index, tree.N, tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}
