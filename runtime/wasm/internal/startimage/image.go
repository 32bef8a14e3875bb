package startimage

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

const (
	pageBytes = 64 << 10
	maxPages  = 1<<16 - 1 // the size of one more page overflows 32 bits
)

// Image is a captured instance. Any number of clones can be made at once.
type Image struct {
	globals []global
	size    uint32 // of the memory
	source  *source
}

type global struct {
	name  string
	value uint64
}

// Capture copies the memory and the named globals, which must be exported and mutable, of an instance that is not
// running. Close frees the image.
func Capture(m api.Module, globals []string) (*Image, error) {
	if pages, ok := m.Memory().Grow(0); !ok || pages > maxPages {
		return nil, fmt.Errorf("a memory of %d pages: at most %d", pages, maxPages)
	}
	i := &Image{size: m.Memory().Size()}
	for _, name := range globals {
		g, ok := m.ExportedGlobal(name).(api.MutableGlobal)
		if !ok {
			return nil, fmt.Errorf("the module exports no mutable global %s", name)
		}
		i.globals = append(i.globals, global{name, g.Get()})
	}
	content, _ := m.Memory().Read(0, i.size)
	var err error
	if i.source, err = newSource(content); err != nil {
		return nil, fmt.Errorf("keeping a memory of %d bytes: %w", len(content), err)
	}
	return i, nil
}

// Clone instantiates a module in the captured state. instantiate must use the context that it is given and must not run
// any code of the module; it may panic. Closing the clone frees its memory, so it must not be running then.
func (i *Image) Clone(
	ctx context.Context,
	instantiate func(context.Context) (api.Module, error),
) (m api.Module, err error) {
	memory := &allocation{image: i}
	defer func() {
		if err != nil {
			memory.free()
		}
	}()
	if m, err = instantiate(experimental.WithMemoryAllocator(ctx, memory)); err != nil {
		return nil, errors.Join(memory.err, err)
	}
	if err := i.restore(m); err != nil {
		_ = m.Close(ctx)
		return nil, err
	}
	return m, nil
}

// restore grows the memory to its captured size and sets the globals.
func (i *Image) restore(m api.Module) error {
	memory := m.Memory()
	if size := memory.Size(); size < i.size {
		if _, ok := memory.Grow((i.size - size) / pageBytes); !ok || memory.Size() != i.size {
			return fmt.Errorf("a memory of %d bytes does not grow to %d", memory.Size(), i.size)
		}
	}
	for _, g := range i.globals {
		mutable, ok := m.ExportedGlobal(g.name).(api.MutableGlobal)
		if !ok {
			return fmt.Errorf("the clone exports no mutable global %s", g.name)
		}
		mutable.Set(g.value)
	}
	return nil
}

// Close frees the image. Clones stay valid.
func (i *Image) Close() error { return i.source.close() }

// allocation is the memory allocator of one clone.
type allocation struct {
	image *Image
	made  experimental.LinearMemory // starts with the content of the image
	err   error
}

// Allocate panics if there is no memory: wazero's interface has no error for it.
func (a *allocation) Allocate(_, most uint64) experimental.LinearMemory {
	if most < uint64(a.image.size) {
		a.err = fmt.Errorf("an image of %d bytes for a memory of at most %d", a.image.size, most)
		panic(a.err)
	}
	if a.made, a.err = a.image.source.memory(most); a.err != nil {
		panic(a.err)
	}
	return a.made
}

func (a *allocation) free() {
	if a.made != nil {
		a.made.Free()
	}
}
