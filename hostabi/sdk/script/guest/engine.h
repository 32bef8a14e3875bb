#ifndef SCRIPT_ENGINE_H
#define SCRIPT_ENGINE_H

#include <stdint.h>

#include "quickjs.h"

// Limits the stack of the interpreter, counted from the caller's frame.
void engine_limit_stack(JSRuntime *rt, uint32_t bytes);

// Calls the interrupt handler after so many steps. A step is a jump back or a call.
void engine_look_after(JSContext *ctx, int32_t steps);

#endif
