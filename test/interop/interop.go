// The other implementation: the log of Go's checksum database (golang.org/x/mod/sumdb/tlog and note), put to our files and made to write
// its own. Run by scripts/interop-go.ts.
//
//	interop verify <folder> <verifier key>   checks signature, tiles, entries, and proofs of every kind
//	interop evidence <file> <verifier key>   checks a tlog-proof
//	interop make <folder> <entries>          writes a log, prints its verifier key
package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if len(os.Args) != 4 {
		fail("usage: interop verify|evidence|make <path> <argument>")
	}
	switch path, argument := os.Args[2], os.Args[3]; os.Args[1] {
	case "verify":
		verify(path, argument)
	case "evidence":
		evidence(path, argument)
	case "make":
		n, err := strconv.ParseInt(argument, 10, 64)
		check(err)
		create(path, n)
	default:
		fail("unknown command")
	}
}

// folder reads tiles of C2SP tlog-tiles, whose paths leave out the height.
type folder string

func (f folder) file(t tlog.Tile) string {
	return filepath.Join(string(f), strings.Replace(t.Path(), "tile/8/", "tile/", 1))
}

func (f folder) Height() int                           { return height }
func (f folder) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		data, err := os.ReadFile(f.file(t))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// open reads a checkpoint that the key signed.
func open(text []byte, key string) tlog.Tree {
	verifier, err := note.NewVerifier(key)
	check(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		fail("another origin: " + lines[0])
	}
	n, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	hash, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: n, Hash: hash}
}

func verify(path, key string) {
	text, err := os.ReadFile(filepath.Join(path, "checkpoint"))
	check(err)
	tree := open(text, key)
	// This reader compares every tile it is given with the signed root.
	hashes := tlog.TileHashReader(tree, folder(path))

	entries := int64(0)
	for first := int64(0); first < tree.N; first += 256 {
		name := filepath.Join(path, strings.Replace(bundle(first/256, tree.N).Path(), "tile/8/data/", "tile/entries/", 1))
		data, err := os.ReadFile(name)
		check(err)
		for i := first; len(data) > 0; i++ {
			length := int(binary.BigEndian.Uint16(data))
			expected, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
			check(err)
			if tlog.RecordHash(data[2:2+length]) != expected[0] {
				fail(fmt.Sprintf("entry %d is another", i))
			}
			data = data[2+length:]
			entries++
		}
	}
	if entries != tree.N {
		fail(fmt.Sprintf("%d entries, not %d", entries, tree.N))
	}

	proofs := 0
	for i := int64(0); i < tree.N; i += 1 + tree.N/50 {
		proof, err := tlog.ProveRecord(tree.N, i, hashes)
		check(err)
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
		check(err)
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, i, leaf[0]))
		earlier, err := tlog.TreeHash(i+1, hashes)
		check(err)
		grown, err := tlog.ProveTree(tree.N, i+1, hashes)
		check(err)
		check(tlog.CheckTree(grown, tree.N, tree.Hash, i+1, earlier))
		proofs += 2
	}
	fmt.Printf("%d entries, %d proofs\n", entries, proofs)
}

func bundle(n, size int64) tlog.Tile {
	width := 256
	if rest := size - n*256; rest < 256 {
		width = int(rest)
	}
	return tlog.Tile{H: height, L: -1, N: n, W: width}
}

func evidence(path, key string) {
	text, err := os.ReadFile(path)
	check(err)
	parts := strings.SplitN(string(text), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("no tlog-proof")
	}
	body, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	check(err)
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	check(err)
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		check(err)
		proof = append(proof, hash)
	}
	tree := open([]byte(parts[1]), key)
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(body)))
	fmt.Printf("entry %d of %d\n", index, tree.N)
}

func create(path string, n int64) {
	secret, public, err := note.GenerateKey(rand.Reader, "go.example/log")
	check(err)
	signer, err := note.NewSigner(secret)
	check(err)

	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var list []tlog.Hash
		for _, i := range indexes {
			list = append(list, stored[i])
		}
		return list, nil
	})
	entry := func(i int64) []byte { return []byte(fmt.Sprintf("entry %d of somebody else", i)) }
	var data []byte
	for i := int64(0); i < n; i++ {
		more, err := tlog.StoredHashes(i, entry(i), reader)
		check(err)
		stored = append(stored, more...)
		data = append(data, byte(len(entry(i))>>8), byte(len(entry(i))))
		data = append(data, entry(i)...)
		if (i+1)%256 == 0 || i+1 == n {
			write(path, strings.Replace(bundle(i/256, n).Path(), "tile/8/data/", "tile/entries/", 1), data)
			data = nil
		}
	}
	for _, t := range tlog.NewTiles(height, 0, n) {
		bytes, err := tlog.ReadTileData(t, reader)
		check(err)
		write(path, strings.Replace(t.Path(), "tile/8/", "tile/", 1), bytes)
	}
	root, err := tlog.TreeHash(n, reader)
	check(err)
	head := &note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", signer.Name(), n, root)}
	signed, err := note.Sign(head, signer)
	check(err)
	write(path, "checkpoint", signed)

	index := n / 3
	proof, err := tlog.ProveRecord(n, index, reader)
	check(err)
	text := fmt.Sprintf("c2sp.org/tlog-proof@v1\nextra %s\nindex %d\n", base64.StdEncoding.EncodeToString(entry(index)), index)
	for _, hash := range proof {
		text += hash.String() + "\n"
	}
	write(path, "entry.tlog-proof", []byte(text+"\n"+string(signed)))
	fmt.Println(public)
}

func write(root, path string, data []byte) {
	file := filepath.Join(root, path)
	check(os.MkdirAll(filepath.Dir(file), 0o755))
	check(os.WriteFile(file, data, 0o644))
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}
