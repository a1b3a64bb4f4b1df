/* Base64 as jp writes it into its files. Pure. */
#pragma once

#include "core/base/cleanup.h"

#include <stddef.h>

/*
 * Decode, as strictly as jp: the standard alphabet, padded, nothing between and no stray bits.
 *
 * Shape:   text      `size` bytes, any value
 *          ret_data  new, `*ret_size` bytes and a NUL that is not counted; free() it
 * Returns: 0; -EINVAL it is not base64; -ENOMEM.
 * Source:  RFC 4648, section 4, with what 3.3 and 3.5 leave to the decoder refused; that is
 *          jp_conversation/src/storage.rs's `STANDARD` engine.
 */
must_check int jp_base64_decode(const char *text, size_t size, char **ret_data, size_t *ret_size);

/*
 * What a string of jp's files stands for: decoded if it is base64 of UTF-8, else as it is.
 *
 * Shape:   as above
 * Returns: 0, -ENOMEM.
 * Source:  jp_conversation/src/storage.rs:137-170.
 */
must_check int jp_base64_to_text(const char *text, size_t size, char **ret_data, size_t *ret_size);
