// Verifies a log folder with Go's own implementation of transparency logs (golang.org/x/mod/sumdb: what checks the Go checksum
// database), which shares no line with ours.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run main.go FOLDER VKEY
//
// Checks the checkpoint's signature, every hash tile that the tree needs against the root, and every entry of every bundle
// against its leaf. Prints the size and the root; exit status 1 and the first thing wrong otherwise.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8 // C2SP tlog-tiles: tiles of 2^8 hashes

// folder reads tiles where C2SP tlog-tiles puts them: tile/<L>/<N>[.p/<W>], without sumdb's height.
type folder string

func (f folder) path(tile tlog.Tile) string {
	level := "entries"
	if tile.L >= 0 {
		level = strconv.Itoa(tile.L)
	}
	parts := strings.SplitN(tile.Path(), "/", 4) // "tile", height, level, number
	return filepath.Join(string(f), "tile", level, parts[3])
}

func (f folder) Height() int { return height }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := f.read(tile)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// read takes the partial tile or, where it was removed, the beginning of the full one.
func (f folder) read(tile tlog.Tile) ([]byte, error) {
	data, err := os.ReadFile(f.path(tile))
	if os.IsNotExist(err) && tile.W < 1<<height {
		full := tile
		full.W = 1 << height
		data, err = os.ReadFile(f.path(full))
		if err == nil && tile.L >= 0 && len(data) >= tile.W*tlog.HashSize {
			data = data[:tile.W*tlog.HashSize]
		}
	}
	return data, err
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: main.go FOLDER VKEY")
		os.Exit(2)
	}
	size, root, err := verify(folder(os.Args[1]), os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "NOT GOOD:", err)
		os.Exit(1)
	}
	fmt.Printf("good: %d entries, root %s\n", size, root)
}

func verify(f folder, vkey string) (int64, tlog.Hash, error) {
	tree, err := checkpoint(f, vkey)
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	reader := tlog.TileHashReader(tree, f)
	for first := int64(0); first < tree.N; first += 1 << height {
		count := tree.N - first
		if count > 1<<height {
			count = 1 << height
		}
		tile := tlog.Tile{H: height, L: -1, N: first >> height, W: int(count)}
		bundle, err := f.read(tile)
		if err != nil {
			return 0, tree.Hash, err
		}
		indexes := make([]int64, count)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		leaves, err := reader.ReadHashes(indexes)
		if err != nil {
			return 0, tree.Hash, err
		}
		for i, leaf := range leaves {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return 0, tree.Hash, fmt.Errorf("%s: ends inside entry %d", f.path(tile), first+int64(i))
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:end]) != leaf {
				return 0, tree.Hash, fmt.Errorf("%s: entry %d is not the leaf that was signed", f.path(tile), first+int64(i))
			}
			bundle = bundle[end:]
		}
	}
	return tree.N, tree.Hash, nil
}

// checkpoint opens the signed note and reads its three lines: origin, size, root.
func checkpoint(f folder, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	text, err := os.ReadFile(filepath.Join(string(f), "checkpoint"))
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("the checkpoint is not one of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}
