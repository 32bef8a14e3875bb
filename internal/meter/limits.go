package meter

// Limits of a module. They are far above what compilers emit (the largest seen: a Go guest with 6,000 functions) and
// bound the cost of parsing and compiling it.
const (
	maxModuleBytes   = 64 << 20
	maxTypes         = 20_000
	maxParams        = 128
	maxResults       = 16
	maxImports       = 1_000
	maxFunctions     = 200_000
	maxTables        = 16
	maxGlobals       = 50_000
	maxExports       = 10_000
	maxElements      = 100_000
	maxElementItems  = 1_000_000
	maxDataSegments  = 200_000
	maxFunctionBytes = 1 << 20
	maxLocals        = 4_096
	maxLocalGroups   = 4_096
	maxNesting       = 2_000
	maxNameBytes     = 4_096
)

// Limits for blocks, branches and targets of branch tables. The compiler's time grows quadratically with their number
// in a function. The largest seen, in a Go guest: 2,200 in a function, 550 blocks deep, and 74,000 targets in all.
const (
	maxBranchTargets    = 8_192 // of a table
	maxFunctionBranches = 16_384
	maxAllBranchTargets = 1_000_000
)

// maxLocalBlocks limits locals times blocks of a function: the compiler keeps that much state while it determines where
// values merge.
const maxLocalBlocks = 256 << 10

const (
	bytesPerUnit    = 64
	elementsPerUnit = 8
	weightPerUnit   = 256
	unitsPerPage    = UnitsPerPage
)

// UnitsPerPage is the fuel that each page costs that is added to the memory.
const UnitsPerPage = 64 << 10 / bytesPerUnit

// bounds are the limits that differ for modules that are not rewritten, which may be larger than metered ones.
type bounds struct {
	functionBytes uint32
	locals        uint64 // of a function, including its parameters
	localBlocks   int
	nesting       int
}

var (
	meteredBounds = bounds{
		functionBytes: maxFunctionBytes, locals: maxLocals, localBlocks: maxLocalBlocks, nesting: maxNesting,
	}
	// checkedBounds are the limits of browser engines (7,654,321 bytes, 50,000 locals).
	checkedBounds = bounds{functionBytes: 8 << 20, locals: 50_000, localBlocks: 16 << 20, nesting: maxNesting}
)
