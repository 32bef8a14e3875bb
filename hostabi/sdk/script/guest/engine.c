// QuickJS, with what the guest needs of its insides: the header has no function for them.
#include "quickjs.c"

#include "engine.h"

// QuickJS has no limit of the stack on WASI. The linker puts the stack at the bottom of memory, so that an overflow
// would trap; with a limit the script gets an error with a line instead.
void engine_limit_stack(JSRuntime *rt, uint32_t bytes) { rt->stack_limit = rt->stack_top - bytes; }

void engine_look_after(JSContext *ctx, int32_t steps) { ctx->interrupt_counter = steps; }
