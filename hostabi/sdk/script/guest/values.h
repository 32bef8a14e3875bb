// Between values of the script and bytes.
#ifndef SCRIPT_VALUES_H
#define SCRIPT_VALUES_H

#include "errors.h"

static JSValue new_text(xp_str s) { return JS_NewStringLen(js, (const char *)s.p, s.n); }
static JSValue new_bytes(xp_str s) { return JS_NewUint8ArrayCopy(js, s.p, s.n); }

static void set(JSValueConst object, const char *name, JSValue v) { JS_DefinePropertyValueStr(js, object, name, v, JS_PROP_C_W_E); }

// Bytes of a value, until free_bytes.
struct bytes {
  xp_str s;
  const char *text; // to free
  uint8_t *copy;    // to free
  JSValue json;     // to free
};

static void free_bytes(struct bytes *b) {
  if (b->text) JS_FreeCString(js, b->text);
  free(b->copy);
  JS_FreeValue(js, b->json);
}

static bool bytes_of_text(JSValueConst v, struct bytes *b) {
  size_t n;
  b->text = JS_ToCStringLen(js, &n, v);
  if (!b->text) return false;
  b->s = (xp_str){(const uint8_t *)b->text, (uint32_t)n};
  return true;
}

// Reads an array of numbers from 0 to 255.
static bool bytes_of_array(JSValueConst v, struct bytes *b) {
  int64_t n;
  if (JS_GetLength(js, v, &n)) return false;
  if (n > XP_MAX_FRAME) {
    JS_ThrowRangeError(js, "an array of more than 1048576 bytes");
    return false;
  }
  b->copy = malloc(n ? (size_t)n : 1);
  if (!b->copy) {
    JS_ThrowOutOfMemory(js);
    return false;
  }
  for (uint32_t i = 0; i < n; i++) {
    JSValue item = JS_GetPropertyUint32(js, v, i);
    int32_t c;
    bool number = JS_IsNumber(item) && !JS_ToInt32(js, &c, item);
    JS_FreeValue(js, item);
    if (!number || c < 0 || c > 255) {
      JS_ThrowTypeError(js, "element %u of the array is not a byte", i);
      return false;
    }
    b->copy[i] = (uint8_t)c;
  }
  b->s = (xp_str){b->copy, (uint32_t)n};
  return true;
}

static bool bytes_of_buffer(JSValueConst v, struct bytes *b) {
  size_t offset, n, width, all;
  JSValue buffer = JS_GetTypedArrayBuffer(js, v, &offset, &n, &width);
  if (JS_IsException(buffer)) return false;
  uint8_t *p = JS_GetArrayBuffer(js, &all, buffer);
  JS_FreeValue(js, buffer); // v has it too
  if (!p && all > 0) return false;
  b->s = (xp_str){p + offset, (uint32_t)n};
  return true;
}

// Reads a string (as UTF-8), a typed array, an ArrayBuffer, or an array of bytes. Returns false with an exception.
static bool to_bytes(JSValueConst v, struct bytes *b) {
  *b = (struct bytes){.json = JS_UNDEFINED};
  if (JS_IsString(v)) return bytes_of_text(v, b);
  if (JS_GetTypedArrayType(v) >= 0) return bytes_of_buffer(v, b);
  if (JS_IsArrayBuffer(v)) {
    size_t n;
    uint8_t *p = JS_GetArrayBuffer(js, &n, v);
    b->s = (xp_str){p, p ? (uint32_t)n : 0};
    return true;
  }
  if (JS_IsArray(v)) return bytes_of_array(v, b);
  JS_ThrowTypeError(js, "expected a string, a Uint8Array or an array of bytes");
  return false;
}

// As to_bytes; every other value becomes JSON.
static bool to_payload(JSValueConst v, struct bytes *b) {
  if (JS_IsString(v) || JS_GetTypedArrayType(v) >= 0 || JS_IsArrayBuffer(v)) return to_bytes(v, b);
  *b = (struct bytes){.json = JS_JSONStringify(js, v, JS_UNDEFINED, JS_UNDEFINED)};
  if (JS_IsException(b->json)) {
    b->json = JS_UNDEFINED;
    return false;
  }
  if (JS_IsString(b->json)) return bytes_of_text(b->json, b);
  JS_ThrowTypeError(js, "the payload has no JSON");
  return false;
}

// Reads a member that is a string, or empty if it is missing. Returns false with an exception.
static bool to_member(JSValueConst object, const char *name, struct bytes *b) {
  *b = (struct bytes){.json = JS_UNDEFINED};
  JSValue v = JS_GetPropertyStr(js, object, name);
  bool ok = !JS_IsException(v) && (JS_IsUndefined(v) || JS_IsNull(v) || bytes_of_text(v, b));
  JS_FreeValue(js, v);
  return ok;
}

#endif
